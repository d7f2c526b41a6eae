"""One folder per method: configuration, model, image processor, recipes."""
