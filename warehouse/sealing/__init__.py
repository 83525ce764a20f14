"""From journal lines to segments: which rows count, and which corrections follow from what came later."""
