"""How near translations lie: encode, retrieve, score."""
