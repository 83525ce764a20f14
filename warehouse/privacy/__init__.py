"""What must go: prompts and rows past their time, and a person, wherever they are named."""
