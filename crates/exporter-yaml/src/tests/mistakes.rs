//! One mistake a file, and the whole text that the user reads about it.

mod bounds;
mod files;
mod nodes;
mod values;

use super::{check, complaint};
