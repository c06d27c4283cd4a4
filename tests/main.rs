//! Stories a user would recognise, one module each.
