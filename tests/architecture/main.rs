//! Rules about the shape of the workspace.
