"""The vault: the keys of data subjects, in an environment of their own."""
