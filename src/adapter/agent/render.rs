//! Turns a card and a request into what the launcher runs.
//!
//! Pure: files are returned, not written. No prompt that can be read from a file is put where
//! `ps` would show it, unless the agent takes it no other way.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::adapter::agent::card::{Card, CardError, Delivery, SystemDelivery};
use crate::adapter::agent::hook::shell_command;
use crate::adapter::agent::template;
use crate::model::record::Mode;

/// The longest text given as one argument, in bytes; Linux refuses 128 KiB.
pub const MAX_ARGUMENT: usize = 100 * 1024;

/// Placeholders that stand for one text.
pub(super) const SINGLE: &[&str] = &[
    "ao",
    "agent_session",
    "binary",
    "model",
    "new_session",
    "prompt",
    "prompt_file",
    "session",
    "session_dir",
    "system",
    "system_file",
    "system_json",
    "workspace",
    "workspace_json",
];

/// Placeholders that stand for several arguments or none.
pub(super) const LISTS: &[&str] =
    &["hook_args", "model_args", "permission_args", "prompt_args", "system_args"];

/// Placeholders of one event.
pub(super) const EVENT: &[&str] = &["command", "command_json", "event", "native"];

/// What is to be started.
#[derive(Clone, Copy, Debug)]
pub struct LaunchRequest<'a> {
    /// The agent.
    pub card: &'a Card,
    /// Whether it stays for further instructions.
    pub mode: Mode,
    /// The permission mode; absent: the agent's own default.
    pub permission: Option<&'a str>,
    /// It is to review: what its card says for that stands in place of a permission mode.
    pub review: bool,
    /// The model; absent: the agent's own default.
    pub model: Option<&'a str>,
    /// The task, byte for byte.
    pub prompt: Option<&'a [u8]>,
    /// The standing role.
    pub system: Option<&'a str>,
    /// `<home>/sessions/<id>`.
    pub session_dir: &'a Path,
    /// The agent's own id of the conversation to continue.
    pub agent_session: Option<&'a str>,
    /// An id for a conversation that begins, for cards that let ao choose it.
    pub new_session: Option<&'a str>,
    /// The directory it works in.
    pub workspace: &'a Path,
}

/// What standard input is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// The terminal of its pane.
    Terminal,
    /// Nothing.
    Null,
    /// This file.
    File(PathBuf),
}

/// What the launcher runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// Standard input.
    pub stdin: Stdin,
    /// Files to write first (mode 0600), below the session's directory.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// What has to be pasted once the agent is ready.
    pub paste: Option<Vec<u8>>,
    /// It continues a conversation.
    pub resumed: bool,
    /// Variables the card sets.
    pub environment: Vec<(String, OsString)>,
}

/// Returns what to run for `request`.
///
/// # Errors
///
/// A NUL byte, a mode or permission the card does not have, a text that fits nowhere.
pub fn render(request: &LaunchRequest<'_>) -> Result<Invocation, CardError> {
    let card = request.card;
    refuse_nul(request)?;
    let resume = card.agent.resume.as_ref().filter(|_| request.agent_session.is_some());
    let template = match (resume, request.mode) {
        (Some(template), _) => Some(template),
        (None, Mode::Interactive) => card.agent.interactive.as_ref(),
        (None, Mode::OneShot) => card.agent.one_shot.as_ref(),
    };
    let template = template.ok_or_else(|| unsupported(card, format!("mode `{}`", request.mode)))?;
    let mut values = Values::new(request, resume.is_some());
    values.add_system(request)?;
    values.add_prompt(request)?;
    values.add_options(request)?;
    values.add_hooks(card);
    let argv = expand(template, &values);
    let set = |(name, word): (&String, &String)| (name.clone(), fill(word, &values));
    let mut variables = card.agent.environment.clone();
    if let Some(review) = card.review.as_ref().filter(|_| request.review) {
        variables.extend(review.environment.clone());
    }
    let environment = variables.iter().map(set).collect();
    Ok(Invocation {
        argv,
        environment,
        stdin: values.stdin,
        files: values.files,
        paste: values.paste,
        resumed: values.resumed,
    })
}

fn refuse_nul(request: &LaunchRequest<'_>) -> Result<(), CardError> {
    let texts = [
        ("prompt", request.prompt),
        ("system prompt", request.system.map(str::as_bytes)),
        ("model", request.model.map(str::as_bytes)),
    ];
    for (what, text) in texts {
        if text.is_some_and(|text| text.contains(&0)) {
            return Err(CardError::Nul(what));
        }
    }
    Ok(())
}

fn unknown_mode(card: &Card, mode: &str) -> String {
    let known: Vec<&str> = card.permissions.keys().map(String::as_str).collect();
    let known = if known.is_empty() { "default".to_owned() } else { known.join(", ") };
    format!("permission mode `{mode}`; there is {known}")
}

fn unsupported(card: &Card, what: String) -> CardError {
    CardError::Unsupported { agent: card.name().to_owned(), what }
}

/// What placeholders stand for, and what has to be done beside running the command.
struct Values {
    single: Vec<(&'static str, OsString)>,
    lists: Vec<(&'static str, Vec<String>)>,
    /// `hook_args`, filled in already: they have placeholders of their own.
    hooks: Vec<OsString>,
    stdin: Stdin,
    files: Vec<(PathBuf, Vec<u8>)>,
    paste: Option<Vec<u8>>,
    resumed: bool,
    /// Goes before the prompt.
    prefix: Vec<u8>,
}

impl Values {
    fn new(request: &LaunchRequest<'_>, resumed: bool) -> Self {
        let directory = request.session_dir;
        let ao = directory.ancestors().nth(2).unwrap_or(Path::new("/")).join("bin/ao");
        let binary = match request.card.agent.binary.as_str() {
            "{ao}" => ao.clone().into_os_string(),
            name => name.into(),
        };
        let session = directory.file_name().unwrap_or(OsStr::new("")).to_owned();
        let single = vec![
            ("ao", ao.into_os_string()),
            ("binary", binary),
            ("session", session),
            ("session_dir", directory.into()),
            ("workspace", request.workspace.into()),
            ("workspace_json", json_text(&request.workspace.to_string_lossy())),
            ("model", request.model.unwrap_or_default().into()),
            ("new_session", request.new_session.unwrap_or_default().into()),
            ("agent_session", request.agent_session.unwrap_or_default().into()),
            ("system_file", directory.join("system.md").into()),
        ];
        let stdin = match request.mode {
            Mode::Interactive => Stdin::Terminal,
            Mode::OneShot => Stdin::Null,
        };
        Self {
            single,
            lists: Vec::new(),
            hooks: Vec::new(),
            stdin,
            files: Vec::new(),
            paste: None,
            resumed,
            prefix: Vec::new(),
        }
    }

    fn add_system(&mut self, request: &LaunchRequest<'_>) -> Result<(), CardError> {
        let section = &request.card.prompt;
        let Some(system) = request.system.filter(|text| !text.is_empty()) else { return Ok(()) };
        match section.system {
            SystemDelivery::None => return Ok(()),
            SystemDelivery::Flag => {
                if system.len() > MAX_ARGUMENT {
                    let (what, length) = ("system prompt", system.len());
                    return Err(CardError::TooLong { what, length, limit: MAX_ARGUMENT });
                }
                self.single.push(("system", system.into()));
                self.single.push(("system_json", json_text(system)));
            }
            SystemDelivery::File => {
                let path = request.session_dir.join("system.md");
                self.files.push((path, system.as_bytes().to_vec()));
            }
            SystemDelivery::Prepend => {
                // A conversation that is continued has it already.
                if !self.resumed {
                    self.prefix = format!("{system}\n\n").into_bytes();
                }
                return Ok(());
            }
        }
        self.lists.push(("system_args", section.system_args.clone()));
        Ok(())
    }

    fn add_prompt(&mut self, request: &LaunchRequest<'_>) -> Result<(), CardError> {
        let card = request.card;
        let delivery = card.delivery(request.mode);
        let file_name = match delivery {
            Delivery::ScriptFile => "prompt.sh",
            Delivery::Argument | Delivery::Stdin | Delivery::Paste => "prompt.md",
        };
        let file = request.session_dir.join(file_name);
        self.single.push(("prompt_file", file.clone().into()));
        let Some(prompt) = request.prompt else {
            return match (request.mode, self.resumed) {
                (Mode::OneShot, false) => Err(CardError::PromptNeeded(card.name().to_owned())),
                (Mode::OneShot | Mode::Interactive, _) => Ok(()),
            };
        };
        let mut text = std::mem::take(&mut self.prefix);
        text.extend_from_slice(prompt);
        match delivery {
            Delivery::Paste => self.paste = Some(text),
            Delivery::Stdin => {
                self.stdin = Stdin::File(file.clone());
                self.files.push((file, text));
            }
            Delivery::ScriptFile => {
                self.files.push((file, text));
                self.lists.push(("prompt_args", card.prompt.args.clone()));
            }
            Delivery::Argument => {
                let argument = self.argument(&file, text);
                self.single.push(("prompt", argument));
                self.lists.push(("prompt_args", card.prompt.args.clone()));
            }
        }
        Ok(())
    }

    /// Returns the prompt as one argument; a long one goes to `file`.
    fn argument(&mut self, file: &Path, text: Vec<u8>) -> OsString {
        if text.len() <= MAX_ARGUMENT {
            return OsString::from_vec(text);
        }
        self.files.push((file.to_owned(), text));
        let mut argument = OsString::from("Read your task from the file ");
        argument.push(file);
        argument.push(" and carry it out.");
        argument
    }

    fn add_options(&mut self, request: &LaunchRequest<'_>) -> Result<(), CardError> {
        let card = request.card;
        if request.review {
            let review = card.review.as_ref();
            let review = review.ok_or_else(|| unsupported(card, "mode for reviews".to_owned()))?;
            self.lists.push(("permission_args", review.args.clone()));
        } else if let Some(mode) = request.permission {
            match card.permissions.get(mode) {
                Some(args) => self.lists.push(("permission_args", args.clone())),
                None if mode == "default" => {}
                None => return Err(unsupported(card, unknown_mode(card, mode))),
            }
        } else if let Some(args) = card.permissions.get("default") {
            self.lists.push(("permission_args", args.clone()));
        }
        if request.model.is_some() {
            if card.model.args.is_empty() {
                return Err(unsupported(card, "choice of model".to_owned()));
            }
            self.lists.push(("model_args", card.model.args.clone()));
        }
        Ok(())
    }

    fn add_hooks(&mut self, card: &Card) {
        let ao = PathBuf::from(self.single("ao"));
        let mut words: Vec<OsString> =
            card.hooks.args.iter().map(|word| fill(word, self)).collect();
        for (event, rule) in &card.hooks.events {
            let Some(native) = &rule.native else { continue };
            let command = shell_command(&ao, card.name(), event);
            let filled = card.hooks.event_args.iter().map(|word| {
                OsString::from_vec(template::fill(word, |name| match name {
                    "command" => command.clone().into_bytes(),
                    "command_json" => json_text(&command).into_vec(),
                    "event" => event.clone().into_bytes(),
                    "native" => native.clone().into_bytes(),
                    name => self.single(name).as_bytes().to_vec(),
                }))
            });
            words.extend(filled.collect::<Vec<_>>());
        }
        self.hooks = words;
    }

    fn single(&self, name: &str) -> &OsStr {
        let found = self.single.iter().find(|(known, _)| *known == name);
        found.map_or(OsStr::new(""), |(_, value)| value)
    }
}

fn expand(template: &[String], values: &Values) -> Vec<OsString> {
    let mut argv = Vec::new();
    for word in template {
        let name = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match name.filter(|name| LISTS.contains(name)) {
            Some("hook_args") => argv.extend(values.hooks.iter().cloned()),
            Some(name) => {
                let list = values.lists.iter().find(|(known, _)| *known == name);
                let words = list.map_or(&[] as &[String], |(_, words)| words);
                argv.extend(words.iter().map(|word| fill(word, values)));
            }
            None => argv.push(fill(word, values)),
        }
    }
    argv
}

fn fill(word: &str, values: &Values) -> OsString {
    OsString::from_vec(template::fill(word, |name| values.single(name).as_bytes().to_vec()))
}

/// Returns a text as JSON writes it, which is a TOML string too.
fn json_text(text: &str) -> OsString {
    // JSON lets a delete character stand as it is, TOML does not.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::agent::{Cards, load_cards};

    fn cards() -> Cards {
        load_cards(Path::new("/none")).unwrap()
    }

    fn request<'a>(card: &'a Card, prompt: Option<&'a [u8]>) -> LaunchRequest<'a> {
        LaunchRequest {
            card,
            mode: card.agent.mode,
            permission: None,
            review: false,
            model: None,
            prompt,
            system: None,
            session_dir: Path::new("/home/sessions/web-1"),
            agent_session: None,
            new_session: None,
            workspace: Path::new("/work tree"),
        }
    }

    fn shown(invocation: &Invocation) -> String {
        let words: Vec<_> = invocation.argv.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn shell_runs_its_prompt_from_a_file_byte_for_byte() {
        let prompt = b"echo $(id) `x` \xff\r\n\x1b[31m".as_slice();
        let cards = cards();
        let invocation = render(&request(cards.find("shell").unwrap(), Some(prompt))).unwrap();
        let file = PathBuf::from("/home/sessions/web-1/prompt.sh");
        assert_eq!(invocation.argv, [OsStr::new("sh"), file.as_os_str()]);
        assert_eq!(invocation.files, [(file, prompt.to_vec())]);
        assert_eq!((invocation.stdin, invocation.paste), (Stdin::Null, None));
    }

    #[test]
    fn shell_without_a_prompt_is_a_shell_or_nothing() {
        let cards = cards();
        let mut request = request(cards.find("shell").unwrap(), None);
        let refused = render(&request).unwrap_err().to_string();
        assert_eq!(refused, "agent `shell` needs a prompt in mode `one_shot`");
        request.mode = Mode::Interactive;
        let invocation = render(&request).unwrap();
        assert_eq!((shown(&invocation).as_str(), invocation.stdin), ("sh", Stdin::Terminal));
    }

    #[test]
    fn launch_and_resume_carry_model_permission_and_system_prompt() {
        let cards = cards();
        let mut request = request(cards.find("demo").unwrap(), Some(b"do {model} it"));
        let plain = shown(&render(&request).unwrap());
        request.model = Some("big");
        request.permission = Some("auto");
        request.system = Some("be kind");
        let launch = render(&request).unwrap();
        request.agent_session = Some("abc");
        let resume = render(&request).unwrap();
        let system = (PathBuf::from("/home/sessions/web-1/system.md"), b"be kind".to_vec());
        assert_eq!((&launch.files, &resume.files), (&vec![system.clone()], &vec![system]));
        assert_eq!((launch.resumed, resume.resumed), (false, true));
        insta::assert_snapshot!([plain, shown(&launch), shown(&resume)].join("\n"), @r##"
        /home/bin/ao demo-agent -- do {model} it
        /home/bin/ao demo-agent --permission auto --model big --system-file /home/sessions/web-1/system.md -- do {model} it
        /home/bin/ao demo-agent --resume abc --permission auto --model big --system-file /home/sessions/web-1/system.md -- do {model} it
        "##);
    }

    #[test]
    fn what_a_card_lacks_is_refused() {
        let cards = cards();
        let mut request = request(cards.find("shell").unwrap(), Some(b"true"));
        request.permission = Some("default");
        assert!(render(&request).is_ok());
        request.permission = Some("bypass");
        let permission = render(&request).unwrap_err().to_string();
        let wanted = "agent `shell` has no permission mode `bypass`; there is default";
        assert_eq!(permission, wanted);
        request.permission = None;
        request.model = Some("big");
        let model = render(&request).unwrap_err().to_string();
        assert_eq!(model, "agent `shell` has no choice of model");
        let mut card = request.card.clone();
        card.agent.interactive = None;
        let interactive =
            LaunchRequest { card: &card, mode: Mode::Interactive, model: None, ..request };
        let mode = render(&interactive).unwrap_err().to_string();
        assert_eq!(mode, "agent `shell` has no mode `interactive`");
    }

    #[test]
    fn a_hostile_text_is_the_same_in_json_and_in_toml() {
        let text: String = (1..=0x9f)
            .filter_map(char::from_u32)
            .chain("{x} '' \"\"\" \\u{1f600}".chars())
            .collect();
        let written = json_text(&text).into_string().unwrap();
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        let table: toml::Table = toml::from_str(&format!("a={{{written}={written}}}")).unwrap();
        assert_eq!(table["a"][text.as_str()].as_str(), Some(text.as_str()));
    }

    #[test]
    fn nul_is_refused_everywhere() {
        let cards = cards();
        let base = request(cards.find("demo").unwrap(), Some(b"a\0b"));
        let cases = [
            base,
            LaunchRequest { prompt: None, system: Some("a\0"), ..base },
            LaunchRequest { prompt: None, model: Some("a\0"), ..base },
        ];
        let told = cases.map(|request| render(&request).unwrap_err().to_string());
        assert_eq!(
            told,
            ["prompt", "system prompt", "model"]
                .map(|what| format!("the {what} contains a NUL byte"))
        );
    }

    #[test]
    fn a_prompt_too_long_for_an_argument_goes_to_a_file() {
        let cards = cards();
        let long = vec![b'x'; MAX_ARGUMENT + 1];
        let fits = render(&request(cards.find("demo").unwrap(), Some(&long[1..]))).unwrap();
        assert_eq!((fits.files.len(), fits.argv.last().unwrap().len()), (0, MAX_ARGUMENT));
        let file = render(&request(cards.find("demo").unwrap(), Some(&long))).unwrap();
        assert_eq!(
            file.argv.last().unwrap(),
            "Read your task from the file /home/sessions/web-1/prompt.md and carry it out."
        );
        assert_eq!(file.files, [(PathBuf::from("/home/sessions/web-1/prompt.md"), long)]);
    }

    #[test]
    fn other_deliveries_leave_the_arguments_alone() {
        let cards = cards();
        let mut card = cards.find("demo").unwrap().clone();
        card.prompt.system = SystemDelivery::Prepend;
        card.prompt.delivery = Delivery::Paste;
        let mut request = request(&card, Some(b"task"));
        request.system = Some("role");
        let pasted = render(&request).unwrap();
        assert_eq!(pasted.paste.as_deref(), Some(b"role\n\ntask".as_slice()));
        assert_eq!(shown(&pasted), "/home/bin/ao demo-agent");
        request.agent_session = Some("abc");
        assert_eq!(render(&request).unwrap().paste.as_deref(), Some(b"task".as_slice()));
        let mut card = card.clone();
        card.prompt.delivery = Delivery::Stdin;
        let stdin = render(&LaunchRequest { card: &card, ..request }).unwrap();
        let file = PathBuf::from("/home/sessions/web-1/prompt.md");
        assert_eq!(stdin.stdin, Stdin::File(file.clone()));
        assert_eq!(stdin.files, [(file, b"task".to_vec())]);
    }

    #[test]
    fn a_system_prompt_too_long_for_its_flag_is_refused() {
        let cards = cards();
        let mut card = cards.find("demo").unwrap().clone();
        card.prompt.system = SystemDelivery::Flag;
        card.prompt.system_args = vec!["--system={system}".into()];
        let long = "x".repeat(MAX_ARGUMENT + 1);
        let mut request = request(&card, None);
        request.system = Some("role {prompt}");
        let told = shown(&render(&request).unwrap());
        assert_eq!(told, "/home/bin/ao demo-agent --system=role {prompt}");
        request.system = Some(&long);
        assert_eq!(
            render(&request).unwrap_err().to_string(),
            "the system prompt has 102401 bytes; at most 102400 fit"
        );
    }
}
