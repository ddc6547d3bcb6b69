"""The tests of lzsyncd."""
