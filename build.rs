//! Packs the schemas that `ao schema` prints: as they are, they are a hundredth of the binary.
#![expect(clippy::disallowed_methods, reason = "a build script has no adapter")]

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;

fn main() -> std::io::Result<()> {
    let directory = std::env::var_os("OUT_DIR").expect("cargo sets it");
    for name in ["record", "answers"] {
        let path = format!("src/generate/{name}.json");
        println!("cargo::rerun-if-changed={path}");
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&fs::read(&path)?)?;
        fs::write(Path::new(&directory).join(name), packed.finish()?)?;
    }
    Ok(())
}
