"""`launch.py test --mutations`: which changes of a room's code do the room's tests not notice?"""
