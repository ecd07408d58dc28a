"""Maps that a ControlNet follows: edges, depth, normals, poses and segments, made of a reference or taken as given."""
