//! Tests of the composed reducer.
