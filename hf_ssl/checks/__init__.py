"""What comes from anywhere is looked at before it is used: JSON, configurations, processors, weights."""
