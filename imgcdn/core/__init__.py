"""Pure rules: no clock, disk, network, Pillow or Flask."""
