"""Files of YAML that people write: read, refused where they mislead, and explained."""
