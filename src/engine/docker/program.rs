//! Whether a container has the program that its command begins with.

use super::Docker;
use super::streams::MODE_SYMLINK;
use crate::engine::Result;
use crate::model::ContainerId;

/// The bit of a mode, as Go counts them, that tells a folder.
const MODE_DIR: u32 = 1 << 31;
/// Who may execute a file.
const EXECUTABLE: u32 = 0o111;

impl Docker {
    pub(super) async fn lacks_program(&self, id: &ContainerId, wrapper: &[&str]) -> Result<Option<String>> {
        let answer = self.api.inspect_container(id.as_str(), None).await.map_err(|error| self.error(error))?;
        let words: Vec<String> = answer.path.into_iter().chain(answer.args.unwrap_or_default()).collect();
        let Some(program) = program(&words, wrapper) else { return Ok(None) };
        let config = answer.config.unwrap_or_default();
        let folder = config.working_dir.unwrap_or_default();
        for candidate in candidates(program, &config.env.unwrap_or_default(), &folder) {
            let found = self.path_stat(id, &candidate).await?;
            let runs = |mode: u32| mode & MODE_SYMLINK != 0 || (mode & MODE_DIR == 0 && mode & EXECUTABLE != 0);
            if found.is_some_and(|found| runs(found.file_mode)) {
                return Ok(None);
            }
        }
        Ok(Some(program.to_owned()))
    }
}

/// The first word after the wrapper.
fn program<'a>(words: &'a [String], wrapper: &[&str]) -> Option<&'a str> {
    let (front, rest) = words.split_at_checked(wrapper.len())?;
    let program = rest.first().filter(|_| front.iter().zip(wrapper).all(|(word, wanted)| word == wanted))?;
    Some(program.as_str())
}

/// Where a program is looked for: its own path, or each folder of `PATH`.
fn candidates(program: &str, env: &[String], working_dir: &str) -> Vec<String> {
    let inside = |folder: &str| match folder.strip_prefix('/') {
        Some(_) => format!("{}/{program}", folder.trim_end_matches('/')),
        None => format!("{}/{folder}/{program}", working_dir.trim_end_matches('/')),
    };
    if program.starts_with('/') {
        return vec![program.to_owned()];
    }
    if program.contains('/') {
        return vec![format!("{}/{program}", working_dir.trim_end_matches('/'))];
    }
    let path = env.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or_default();
    path.split(':').filter(|_| !path.is_empty()).map(inside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_where_the_kernel_would() {
        let words = ["/agent", "run", "--", "sleep 5", "1"].map(str::to_owned);
        assert_eq!(program(&words, &["/agent", "run", "--"]), Some("sleep 5"));
        assert_eq!(program(&words, &["/other"]), None);
        assert_eq!(program(&words[..3], &["/agent", "run", "--"]), None);
        let env = ["A=b", "PATH=/usr/bin:/bin/:bin"].map(str::to_owned);
        assert_eq!(candidates("sh", &env, "/app"), ["/usr/bin/sh", "/bin/sh", "/app/bin/sh"]);
        assert_eq!(candidates("/x/y", &env, "/app"), ["/x/y"]);
        assert_eq!(candidates("./y", &env, "/app"), ["/app/./y"]);
        assert_eq!(candidates("y", &[], "/app"), Vec::<String>::new());
    }
}
