"""Where prices come from: prices.toml, our own dated facts, genai-prices, and the map inside an installed LiteLLM."""
