"""From counts to money: whose price was in force, and exact arithmetic at its rates. Knows no row and no disk."""
