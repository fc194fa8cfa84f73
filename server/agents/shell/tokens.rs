//! The words of a shell's command line, as far as they can be known without running it (POSIX 2.3, "Token Recognition").

/// A word of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// What it says, without quotes.
    pub(super) text: String,
    /// False if the shell would make something else of it: a variable, a pattern, the output of a command.
    pub(super) is_literal: bool,
}

/// A part of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// Output goes into this file.
    Output(Word),
    /// A command ends.
    End,
    /// A subshell begins.
    Open,
    /// A subshell ends.
    Close,
}

/// Takes a command line apart.
pub(super) fn tokens(line: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: line.chars().collect(), position: 0, tokens: Vec::new(), documents: Vec::new() };
    lexer.run();
    lexer.tokens
}

struct Lexer {
    rest: Vec<char>,
    position: usize,
    tokens: Vec<Token>,
    /// Delimiters of here-documents whose text follows the line.
    documents: Vec<String>,
}

/// What follows an operator that takes a word.
enum Target {
    Output,
    /// It is only read.
    Input,
    Document,
}

impl Lexer {
    fn run(&mut self) {
        while let Some(c) = self.peek(0) {
            match c {
                '\n' => {
                    self.position += 1;
                    self.tokens.push(Token::End);
                    self.skip_documents();
                }
                '\\' if self.peek(1) == Some('\n') => self.position += 2,
                c if c.is_whitespace() => self.position += 1,
                '#' => self.skip_line(),
                '(' => self.take(Token::Open),
                ')' => self.take(Token::Close),
                '&' if self.peek(1) == Some('>') => {
                    self.position += 1;
                    self.redirect_output();
                }
                ';' | '|' | '&' => self.take(Token::End),
                '>' => self.redirect_output(),
                '<' => self.redirect_input(),
                _ => self.word(),
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.position + ahead).copied()
    }

    fn take(&mut self, token: Token) {
        self.position += 1;
        self.tokens.push(token);
    }

    fn word(&mut self) {
        let word = self.read_word();
        // A number before a redirection is a descriptor and no argument.
        let is_descriptor = !word.text.is_empty()
            && word.text.chars().all(|c| c.is_ascii_digit())
            && matches!(self.peek(0), Some('<' | '>'));
        if !is_descriptor {
            self.tokens.push(Token::Word(word));
        }
    }

    fn redirect_output(&mut self) {
        self.position += 1;
        match self.peek(0) {
            Some('(') => return self.skip_parentheses(),
            // Onto another descriptor, unless a file follows.
            Some('&') => {
                self.position += 1;
                if matches!(self.peek(0), Some(c) if c.is_ascii_digit() || c == '-') {
                    self.read_word();
                    return;
                }
            }
            Some('>' | '|') => self.position += 1,
            _ => {}
        }
        self.target(&Target::Output);
    }

    fn redirect_input(&mut self) {
        self.position += 1;
        let target = match (self.peek(0), self.peek(1)) {
            (Some('('), _) => return self.skip_parentheses(),
            (Some('<'), Some('<')) => {
                self.position += 2;
                Target::Input
            }
            (Some('<'), Some('-')) => {
                self.position += 2;
                Target::Document
            }
            (Some('<'), _) => {
                self.position += 1;
                Target::Document
            }
            (Some('&' | '>'), _) => {
                self.position += 1;
                Target::Input
            }
            _ => Target::Input,
        };
        self.target(&target);
    }

    fn target(&mut self, target: &Target) {
        while matches!(self.peek(0), Some(' ' | '\t')) {
            self.position += 1;
        }
        let word = self.read_word();
        match target {
            Target::Output => self.tokens.push(Token::Output(word)),
            Target::Input => {}
            Target::Document => self.documents.push(word.text),
        }
    }

    fn read_word(&mut self) -> Word {
        let mut word = Word { text: String::new(), is_literal: true };
        while let Some(c) = self.peek(0) {
            match c {
                '\'' => self.single_quoted(&mut word),
                '"' => self.double_quoted(&mut word),
                '\\' => {
                    word.text.extend(self.peek(1).filter(|c| *c != '\n'));
                    self.position += 2;
                }
                '$' => self.expansion(&mut word),
                '`' => self.backquoted(&mut word),
                c if c.is_whitespace() || matches!(c, ';' | '|' | '&' | '<' | '>' | '(' | ')') => break,
                _ => {
                    let is_pattern = matches!(c, '*' | '?' | '[' | '{') || (c == '~' && word.text.is_empty());
                    word.is_literal &= !is_pattern;
                    word.text.push(c);
                    self.position += 1;
                }
            }
        }
        word
    }

    fn single_quoted(&mut self, word: &mut Word) {
        self.position += 1;
        while let Some(c) = self.peek(0) {
            self.position += 1;
            if c == '\'' {
                return;
            }
            word.text.push(c);
        }
        word.is_literal = false;
    }

    fn double_quoted(&mut self, word: &mut Word) {
        self.position += 1;
        while let Some(c) = self.peek(0) {
            match c {
                '"' => {
                    self.position += 1;
                    return;
                }
                '\\' => {
                    let next = self.peek(1);
                    if !matches!(next, Some('"' | '\\' | '$' | '`' | '\n')) {
                        word.text.push('\\');
                    }
                    word.text.extend(next.filter(|c| *c != '\n'));
                    self.position += 2;
                }
                '$' => self.expansion(word),
                '`' => self.backquoted(word),
                _ => {
                    word.text.push(c);
                    self.position += 1;
                }
            }
        }
        word.is_literal = false;
    }

    /// A variable, a command's output or a sum: nobody knows what it will be.
    fn expansion(&mut self, word: &mut Word) {
        self.position += 1;
        match self.peek(0) {
            Some('(') => self.skip_parentheses(),
            Some(c)
                if c.is_alphanumeric() || matches!(c, '_' | '{' | '\'' | '"' | '@' | '*' | '#' | '?' | '!' | '$') => {}
            // A dollar that stands alone is one.
            _ => {
                word.text.push('$');
                return;
            }
        }
        word.is_literal = false;
    }

    fn backquoted(&mut self, word: &mut Word) {
        word.is_literal = false;
        self.position += 1;
        while let Some(c) = self.peek(0) {
            self.position += 1;
            match c {
                '\\' => self.position += 1,
                '`' => return,
                _ => {}
            }
        }
    }

    /// Goes behind the parenthesis that closes the one here, whatever is quoted between them.
    fn skip_parentheses(&mut self) {
        let mut depth = 0_usize;
        let mut ignored = Word { text: String::new(), is_literal: true };
        while let Some(c) = self.peek(0) {
            match c {
                '\'' => self.single_quoted(&mut ignored),
                '"' => self.double_quoted(&mut ignored),
                '\\' => self.position += 2,
                '(' => {
                    depth += 1;
                    self.position += 1;
                }
                ')' => {
                    depth -= 1;
                    self.position += 1;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.position += 1,
            }
        }
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.position += 1;
        }
    }

    fn skip_documents(&mut self) {
        for delimiter in std::mem::take(&mut self.documents) {
            while self.position < self.rest.len() {
                let start = self.position;
                self.skip_line();
                let line: String = self.rest[start..self.position].iter().collect();
                self.position += 1;
                if line.trim_start_matches('\t') == delimiter {
                    break;
                }
            }
        }
    }
}
