//! What the screen of an agent says.

/// What was read from a screen by the patterns of the agent's card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScreenSign {
    /// It works.
    Working,
    /// It has ended its turn and takes the next instruction.
    Idle,
    /// It takes an instruction, and does not show whether it ever had one.
    Ready,
    /// It waits for an answer in words.
    Waiting,
    /// A dialog is open.
    Dialog,
    /// Its usage limit is reached.
    Limit {
        /// When that ends, in the agent's own words.
        reset: Option<String>,
    },
}
