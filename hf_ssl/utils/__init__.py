"""What knows nothing of machine learning, and what anything may import."""
