//! Trees that load, and mistakes with the sentence each one gets.
