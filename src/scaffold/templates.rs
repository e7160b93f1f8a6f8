//! Example stacks, carried inside hob.
//!
//! The list is written out by hand, so that a build needs neither a build script nor a macro package; a test holds it
//! to the folder.

use std::borrow::Cow;
use std::path::Path;

use super::NewFile;

/// Names of the templates.
pub const TEMPLATES: [&str; 1] = ["shop"];

struct Embedded {
    /// Below `templates/`, with the template's name first.
    path: &'static str,
    content: &'static [u8],
    executable: bool,
}

macro_rules! file {
    ($path:literal) => {
        Embedded { path: $path, content: include_bytes!(concat!("../../templates/", $path)), executable: false }
    };
    ($path:literal, executable) => {
        Embedded { executable: true, ..file!($path) }
    };
}

static FILES: &[Embedded] = &[
    file!("shop/README.md"),
    file!("shop/api/.dockerignore"),
    file!("shop/api/Dockerfile"),
    file!("shop/api/app.py"),
    file!("shop/broker/.dockerignore"),
    file!("shop/broker/Dockerfile"),
    file!("shop/broker/enabled_plugins"),
    file!("shop/broker/rabbitmq-env.conf"),
    file!("shop/broker/rabbitmq.conf"),
    file!("shop/cache/.dockerignore"),
    file!("shop/cache/Dockerfile"),
    file!("shop/cache/redis.conf"),
    file!("shop/db/.dockerignore"),
    file!("shop/db/Dockerfile"),
    file!("shop/db/seed/products.sql"),
    file!("shop/db/start", executable),
    file!("shop/devenv.yaml"),
    file!("shop/migrate/.dockerignore"),
    file!("shop/migrate/Dockerfile"),
    file!("shop/migrate/migrate.py"),
    file!("shop/migrate/migrations/001_orders.sql"),
    file!("shop/migrate/migrations/002_results.sql"),
    file!("shop/web/.dockerignore"),
    file!("shop/web/Dockerfile"),
    file!("shop/web/nginx.conf"),
    file!("shop/web/static/index.html"),
    file!("shop/web/static/shop.js"),
    file!("shop/web/static/style.css"),
    file!("shop/worker/.dockerignore"),
    file!("shop/worker/Dockerfile"),
    file!("shop/worker/tasks.py"),
];

/// The files of a template; `None` where there is none of this name.
pub fn template(name: &str) -> Option<Vec<NewFile>> {
    let files = FILES.iter().filter_map(|file| {
        let path = Path::new(file.path).strip_prefix(name).ok()?;
        Some(NewFile { path: path.to_owned(), content: Cow::Borrowed(file.content), executable: file.executable })
    });
    TEMPLATES.contains(&name).then(|| files.collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test that reads the folder")]
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // What a run of the stack may leave behind.
            if path.ends_with("__pycache__") {
                continue;
            }
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test that reads the folder")]
    fn the_list_is_the_folder() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut found = Vec::new();
        walk(&root, &mut found);
        found.sort();
        let listed: Vec<PathBuf> = FILES.iter().map(|file| root.join(file.path)).collect();
        assert_eq!(listed, found, "FILES in src/scaffold/templates.rs is not what templates/ holds");
        #[cfg(unix)]
        for file in FILES {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(root.join(file.path)).unwrap().permissions().mode();
            assert_eq!(file.executable, mode & 0o100 != 0, "{} is or is not executable", file.path);
        }
    }

    #[test]
    fn every_template_has_a_manifest() {
        for name in TEMPLATES {
            let files = template(name).unwrap();
            assert!(files.iter().any(|file| file.path == Path::new("devenv.yaml")), "{name}");
        }
        assert_eq!(template("nothing"), None);
    }
}
