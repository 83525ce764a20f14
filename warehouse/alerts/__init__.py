"""Alerts: what the published reports warn of, told once to whoever `alerts.toml` names."""
