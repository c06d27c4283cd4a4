//! Flash bundles: manifest v1alpha1 and the files it names.
