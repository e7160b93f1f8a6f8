//! Commands that reload themselves, and ones that only look like it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::reloader;
use crate::model::{Entry, FileTree, ObservedImage, Service};

/// A tree with one file.
struct Package(&'static str);

impl FileTree for Package {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let there = path == Path::new("/context/package.json") && !self.0.is_empty();
        there.then(|| self.0.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn entry(&self, _: &Path) -> io::Result<Entry> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<Entry>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

const PACKAGE: &str = r#"{"scripts": {
    "dev": "NODE_ENV=development next dev -p 3000",
    "start": "node server.js",
    "serve": "vite",
    "watch": "npm run dev",
    "loop": "npm run loop",
    "both": "concurrently \"vite\" \"tsc -w\"",
    "nodemon": "node server.js"
}}"#;

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn found(service: &Service, image: Option<&ObservedImage>) -> String {
    let found = reloader(&Package(PACKAGE), service, image, Some(Path::new("/context")));
    found.map(|found| found.name).unwrap_or_default()
}

#[test]
fn programs_are_recognised_by_what_makes_them_reload() {
    let cases = [
        ("uvicorn app:app --reload --port 80", "uvicorn --reload"),
        ("uvicorn app:app --port 80", ""),
        ("/venv/bin/uvicorn --reload app:app", "uvicorn --reload"),
        ("python -m uvicorn app:app --reload", "uvicorn --reload"),
        ("python3.12 -u -m uvicorn app:app --reload", "uvicorn --reload"),
        ("poetry run uvicorn app:app --reload", "uvicorn --reload"),
        ("uv run uvicorn app:app --reload", "uvicorn --reload"),
        ("flask --app shop run --debug", "flask --debug"),
        ("flask --app shop --debug run -h 0.0.0.0", "flask --debug"),
        ("flask run --debug --no-reload", ""),
        ("flask run", ""),
        ("flask shell --debug", ""),
        ("env FLASK_DEBUG=1 flask run", "flask with FLASK_DEBUG"),
        ("env FLASK_DEBUG=0 flask run", ""),
        ("gunicorn --reload shop:app", "gunicorn --reload"),
        ("gunicorn shop:app", ""),
        ("fastapi dev main.py", "fastapi dev"),
        ("fastapi run main.py", ""),
        ("python manage.py runserver 0.0.0.0:8000", "manage.py runserver"),
        ("./manage.py runserver --noreload", ""),
        ("python manage.py migrate", ""),
        ("python app.py --reload", ""),
        ("python -m http.server", ""),
        ("celery -A shop worker", ""),
        ("watchmedo auto-restart -d src -- celery -A shop worker", "watchmedo auto-restart"),
        ("vite", "vite"),
        ("vite --host", "vite"),
        ("vite build", ""),
        ("vite preview", ""),
        ("next dev", "next dev"),
        ("next start", ""),
        ("nuxt dev", "nuxt dev"),
        ("astro dev", "astro dev"),
        ("remix vite:dev", "remix vite:dev"),
        ("react-router dev", "react-router dev"),
        ("ng serve --host 0.0.0.0", "ng serve"),
        ("ng serve --watch=false", ""),
        ("ng build", ""),
        ("webpack serve", "webpack serve"),
        ("webpack-dev-server", "webpack-dev-server"),
        ("nodemon app.js", "nodemon"),
        ("npx -y nodemon app.js", "nodemon"),
        ("node --watch app.js", "node --watch"),
        ("node --inspect=0.0.0.0 --watch-path=src app.js", "node --watch"),
        ("node app.js --watch", ""),
        ("node node_modules/.bin/next dev", "next dev"),
        ("tsx watch src/main.ts", "tsx watch"),
        ("tsx src/main.ts", ""),
        ("ts-node-dev --respawn main.ts", "ts-node-dev"),
        ("bun --hot main.ts", "bun --hot"),
        ("bun main.ts --hot", ""),
        ("deno run --allow-net --watch main.ts", "deno --watch"),
        ("deno run main.ts --watch", ""),
        ("nest start --watch", "nest start --watch"),
        ("nest start", ""),
        ("air", "air"),
        ("air -c .air.toml", "air"),
        ("air init", ""),
        ("reflex -r \\.go$ -s -- go run .", "reflex --start-service"),
        ("reflex -r \\.go$ -- go test .", ""),
        ("CompileDaemon --command=./app", "CompileDaemon"),
        ("watchexec -r -- python app.py", "watchexec --restart"),
        ("watchexec -e py python app.py", ""),
        ("watchexec python app.py -r", ""),
        ("cargo watch -x run", "cargo watch"),
        ("cargo run -- watch", ""),
        ("mix phx.server", "mix phx.server"),
        ("env MIX_ENV=prod mix phx.server", ""),
        ("bundle exec rails server -b 0.0.0.0", "rails server"),
        ("bin/rails s", "rails server"),
        ("ruby bin/rails s", "rails server"),
        ("bin/rails s -e production", ""),
        ("env RAILS_ENV=production bin/rails s", ""),
        ("php artisan serve", "php artisan serve"),
        ("php artisan queue:work", ""),
        ("php -S 0.0.0.0:80", "php -S"),
        ("php-fpm", ""),
        ("./mvnw quarkus:dev", "mvnw quarkus:dev"),
        ("./mvnw spring-boot:run", ""),
        ("dotnet watch run", "dotnet watch"),
        ("dotnet run", ""),
        ("nginx -g daemon", ""),
        ("tini -- uvicorn a:b --reload", "uvicorn --reload"),
        ("dumb-init next dev", "next dev"),
        ("wait-for-it.sh db:5432 -- next dev", "next dev"),
        ("docker-entrypoint.sh next dev", "next dev"),
        ("npm run dev", "next dev"),
        ("npm run watch", "next dev"),
        ("npm run serve -- --host", "vite"),
        ("npm run both", ""),
        ("npm run loop", ""),
        ("npm run missing", ""),
        ("npm start", ""),
        ("npm --prefix web run dev", ""),
        ("yarn dev", "next dev"),
        ("yarn next dev", "next dev"),
        ("yarn nodemon app.js", ""),
        ("pnpm dev", "next dev"),
        ("pnpm exec vite", "vite"),
        ("bun run dev", "next dev"),
        ("node --run dev", "next dev"),
    ];
    for (command, expected) in cases {
        let service = Service { command: Some(words(command)), ..Service::default() };
        assert_eq!(found(&service, None), expected, "{command}");
    }
}

#[test]
fn a_shell_runs_its_last_command() {
    let cases = [
        ("uvicorn app:app --reload", "uvicorn --reload"),
        ("exec uvicorn app:app --reload --port ${PORT:-80}", "uvicorn --reload"),
        ("pip install -r dev.txt && exec uvicorn 'app:app' \"--reload\" 2>&1", "uvicorn --reload"),
        ("# the server\nset -e\npython manage.py migrate; python manage.py runserver", "manage.py runserver"),
        ("export FLASK_DEBUG=1; flask run", "flask with FLASK_DEBUG"),
        ("FLASK_DEBUG=true flask run", "flask with FLASK_DEBUG"),
        ("uvicorn app:app --reload; sleep 1", ""),
        ("uvicorn app:app --reload | tee log", ""),
        ("uvicorn app:app --reload & wait", ""),
        ("uvicorn app:app # --reload", ""),
        ("echo uvicorn --reload", ""),
        ("if true; then uvicorn app:app --reload; fi", ""),
        ("uvicorn $(cat flags) --reload", ""),
        ("exec node server.js; next dev", ""),
        ("npm ci && npm run dev", "next dev"),
        ("cd web && npm run dev", ""),
        ("uvicorn 'app:app --reload", ""),
        ("", ""),
    ];
    for (text, expected) in cases {
        let command = Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()]);
        let service = Service { command, ..Service::default() };
        assert_eq!(found(&service, None), expected, "{text}");
    }
    let service = Service { command: Some(words("bash /run.sh uvicorn --reload")), ..Service::default() };
    assert_eq!(found(&service, None), "");
}

#[test]
fn the_image_says_what_the_manifest_does_not() {
    let image = ObservedImage {
        entrypoint: words("flask"),
        cmd: words("run"),
        env: vec!["FLASK_DEBUG=1".to_owned(), "odd".to_owned()],
        ..ObservedImage::default()
    };
    let set = |value: Option<&str>| {
        let environment = [("FLASK_DEBUG".to_owned(), value.map(str::to_owned))].into_iter().collect();
        Service { environment, ..Service::default() }
    };
    let command = |command: &str| Service { command: Some(words(command)), ..Service::default() };
    let entrypoint = |entrypoint: &str| Service { entrypoint: Some(words(entrypoint)), ..Service::default() };
    let cases = BTreeMap::from([
        ("as it is", (Service::default(), "flask with FLASK_DEBUG")),
        ("switched off", (set(Some("0")), "")),
        ("taken away", (set(None), "")),
        ("another command", (command("shell"), "")),
        ("another entry point drops the command", (entrypoint("flask"), "")),
    ]);
    for (name, (service, expected)) in cases {
        assert_eq!(found(&service, Some(&image)), expected, "{name}");
    }
}

#[test]
fn the_scripts_are_those_of_the_folder_where_the_command_runs() {
    let service = Service { command: Some(words("npm run dev")), ..Service::default() };
    assert_eq!(found(&service, None), "next dev");
    let elsewhere = Service { working_dir: Some("/app/api".to_owned()), ..service.clone() };
    assert_eq!(found(&elsewhere, None), "");
    assert_eq!(reloader(&Package(PACKAGE), &service, None, None), None, "a context that is elsewhere");
    for broken in ["", "{", "[]", r#"{"scripts": {"dev": 1}}"#] {
        assert_eq!(reloader(&Package(broken), &service, None, Some(Path::new("/context"))), None, "{broken}");
    }
}

#[test]
fn some_folders_are_read_at_the_start_only() {
    let service = Service { command: Some(words("rails server")), ..Service::default() };
    let rails = reloader(&Package(""), &service, None, None).unwrap();
    assert!(rails.covers("/app/app/models/order.rb"));
    assert!(!rails.covers("/app/config/routes.rb"));
    assert!(rails.covers("/app/app/config"), "a file of that name");
}
