"""What a witness remembers, durably: the seam, its memory twin and LMDB."""
