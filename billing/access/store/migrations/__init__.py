"""How databases came to have the form that they have: revisions are added, never changed."""
