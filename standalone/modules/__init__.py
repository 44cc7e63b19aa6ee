"""The part of the WebUI's `modules` package that the extension uses, written anew from its API."""
