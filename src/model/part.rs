//! The files that parts of a measure are about.

use std::path::PathBuf;

use super::{Project, Service};

impl Project {
    /// The file that a part of a measure of a service's build is: `file src/app.py`, `file app.py of context lib`.
    pub fn file_of(&self, part: &str, service: &Service) -> Option<PathBuf> {
        let (build, path) = (service.build.as_ref()?, part.strip_prefix("file ")?);
        let named = path.rsplit_once(" of context ");
        let named = named.and_then(|(path, name)| Some((build.additional_contexts.get(name)?, path)));
        let (folder, path) = match (named, &build.context) {
            (Some((folder, path)), _) => (folder.as_str(), path),
            (None, Some(folder)) => (folder.as_str(), path),
            (None, None) => ("", path),
        };
        Some(self.working_dir.join(folder).join(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Build;

    #[test]
    fn a_part_of_a_file_is_that_file() {
        let project = Project { working_dir: "/p".into(), ..Project::default() };
        let mut build = Build { context: Some("api".into()), ..Build::default() };
        build.additional_contexts.insert("lib".into(), "shared".into());
        let service = Service { build: Some(build), ..Service::default() };
        for (part, file) in [
            ("file src/app.py", Some("/p/api/src/app.py")),
            ("file app.py of context lib", Some("/p/shared/app.py")),
            ("arg VERSION", None),
        ] {
            assert_eq!(project.file_of(part, &service), file.map(PathBuf::from), "{part}");
        }
    }
}
