//! The version of the home's layout, in the file `format`.

use std::path::Path;

use crate::adapter::fs::{self, Durability};
use crate::store::StoreError;

/// The layout that this version writes.
pub const FORMAT: u64 = 1;

/// Returns the layout of the home at `root`, `None` where it does not say.
pub fn read(root: &Path) -> Result<Option<u64>, StoreError> {
    let path = root.join("format");
    let Some(bytes) = fs::read_regular(&path, 64)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let format = text.trim().parse().map_err(|_| StoreError::Damaged {
        path,
        line: None,
        why: "it does not hold the number of a format".to_owned(),
    })?;
    Ok(Some(format))
}

/// Writes the layout of this version.
pub fn write(root: &Path) -> Result<(), StoreError> {
    let bytes = format!("{FORMAT}\n");
    Ok(fs::replace(&root.join("format"), bytes.as_bytes(), Durability::PowerCut)?)
}
