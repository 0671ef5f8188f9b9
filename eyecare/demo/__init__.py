"""The demo practice: made-up people in a realistic week, dated relative to today."""
