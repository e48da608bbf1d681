//! Embeds the named queries: every `queries/<group>/<name>.sql` but the views.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    // Asked at run time: a build kept between clones would look where an earlier clone was.
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = here.join("../../queries").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for group in folders(&folder)? {
        let name = group.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != "views" {
            files.extend(sql_files(&group)?.into_iter().map(|file| (name.clone(), file)));
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for (group, file) in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let _ = writeln!(list, "    ({group:?}, {name:?}, include_str!({:?})),", file.display().to_string());
    }
    list.push(']');
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    std::fs::write(out.join("queries.rs"), list)
}

fn folders(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    entries(folder, |path| path.is_dir())
}

fn sql_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    entries(folder, |path| path.extension().is_some_and(|extension| extension == "sql"))
}

fn entries(folder: &Path, wanted: impl Fn(&Path) -> bool) -> std::io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| wanted(path)).collect())
}
