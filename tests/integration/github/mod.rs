//! GitHub, played by a server of the test's own from `fixtures/github`.

mod failing;
mod forge;
mod frugal;
mod ladder;
