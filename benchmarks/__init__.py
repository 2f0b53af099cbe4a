"""How fast, how large and how small: the platform beside the bare engines. Not part of the product."""
