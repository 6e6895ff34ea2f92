"""The model hub: asked, searched and kept."""
