//! The budget's promises, each tried alone, at random, and under simulated load.

mod extension;
mod promises;
mod properties;
mod simulation;
mod workload;
mod world;
