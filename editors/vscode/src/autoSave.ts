import {
  CodeAction,
  CodeActionKind,
  commands,
  Diagnostic,
  DiagnosticSeverity,
  type ExtensionContext,
  l10n,
  languages,
  Range,
  type TextDocument,
  Uri,
  window,
  workspace,
} from "vscode";
import { AutoSaveSetting } from "./autoSaveSetting";
import { type Disposable, disposeAll } from "./disposable";

const CODE = "auto-save-paused";

/**
 * Pauses auto save for single files. No extension can refuse a save, nor turn auto save off for one file. But the editor
 * leaves alone what has an error while `files.autoSaveWhenNoErrors` is on: so a paused file gets one, and the setting is
 * on as long as a file is paused.
 */
export class AutoSavePause implements Disposable {
  private readonly notices = languages.createDiagnosticCollection("deconflict auto save");
  private readonly setting: AutoSaveSetting;
  private readonly paused = new Map<string, { readonly uri: Uri; readonly text: string }>();
  /** What the notices say, by file. */
  private readonly shown = new Map<string, string>();
  private readonly subscriptions: Disposable[];

  constructor(context: ExtensionContext) {
    this.setting = new AutoSaveSetting(Uri.joinPath(context.globalStorageUri, "auto-save").fsPath, (cause) => {
      this.paused.clear();
      this.apply();
      void window.showWarningMessage(l10n.t("Auto save can't be paused for files that others hold. {0}", cause));
    });
    const resume = (document: TextDocument) => {
      this.resume(document.uri);
    };
    this.subscriptions = [
      this.notices,
      this.setting,
      // Whoever saves by hand has decided, and so has who closes or reverts.
      workspace.onDidSaveTextDocument(resume),
      workspace.onDidCloseTextDocument(resume),
      workspace.onDidChangeTextDocument(({ document }) => {
        if (!document.isDirty) {
          resume(document);
        }
      }),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("files")) {
          this.setting.apply();
          this.apply();
        }
      }),
      languages.registerCodeActionsProvider(
        { scheme: "file" },
        { provideCodeActions: (document, _range, asked) => resumeActions(document.uri, asked.diagnostics) },
        { providedCodeActionKinds: [CodeActionKind.QuickFix] },
      ),
    ];
  }

  /** True if it is on for this file, or in general, and the user wants it paused where another holds the file. */
  isWanted(uri?: Uri): boolean {
    const mode = workspace.getConfiguration("files", uri).get<string>("autoSave", "off");
    const isPossible = uri === undefined || this.setting.isPossible(uri);
    return mode !== "off" && isPossible && workspace.getConfiguration("deconflict").get<boolean>("autoSave.pause", true);
  }

  /** Pauses it if that is wanted; without a holder until it is known whether there is one. Returns whether it is paused now. */
  pause(uri: Uri, holder: string | undefined): boolean {
    if (!this.isWanted(uri)) {
      return false;
    }
    const text =
      holder === undefined
        ? l10n.t("Auto save waits until Deconflict knows whether somebody else holds this file.")
        : heldText(holder);
    if (this.paused.get(uri.toString())?.text !== text) {
      this.paused.set(uri.toString(), { uri, text });
      this.apply();
    }
    return true;
  }

  isPaused(uri: Uri): boolean {
    return this.paused.has(uri.toString());
  }

  /** Lets it go on. */
  resume(uri: Uri): void {
    if (this.paused.delete(uri.toString())) {
      this.apply();
    }
  }

  /** The files for which it is paused. */
  get files(): readonly Uri[] {
    return [...this.paused.values()].map(({ uri }) => uri);
  }

  /** Leaves the user's settings as they were, when the window closes. What is paused still stays so, as far as it can. */
  async end(): Promise<void> {
    if (this.paused.size === 0) {
      await this.setting.end();
    }
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  private apply(): void {
    void commands.executeCommand("setContext", "deconflict.autoSavePaused", this.paused.size > 0);
    this.setting.want(this.paused.size > 0);
    // The errors are there before the setting is written, which takes its turn: at that moment the editor saves whatever
    // has none.
    this.show();
  }

  private show(): void {
    for (const key of [...this.shown.keys()].filter((shown) => !this.paused.has(shown))) {
      this.shown.delete(key);
      this.notices.delete(Uri.parse(key));
    }
    for (const [key, { uri, text }] of this.paused) {
      if (this.shown.get(key) !== text) {
        this.shown.set(key, text);
        this.notices.set(uri, [notice(text)]);
      }
    }
  }
}

function heldText(holder: string): string {
  return l10n.t(
    "Auto save is paused for this file, because {0} holds it. Save it yourself, or choose Edit Anyway in this line's menu.",
    holder,
  );
}

function notice(text: string): Diagnostic {
  const diagnostic = new Diagnostic(new Range(0, 0, 0, 1000), text, DiagnosticSeverity.Error);
  diagnostic.source = "deconflict";
  diagnostic.code = CODE;
  return diagnostic;
}

function resumeActions(uri: Uri, diagnostics: readonly Diagnostic[]): CodeAction[] {
  const answered = diagnostics.filter((diagnostic) => diagnostic.code === CODE);
  if (answered.length === 0) {
    return [];
  }
  const action = new CodeAction(l10n.t("Edit Anyway: let auto save go on for this file"), CodeActionKind.QuickFix);
  action.diagnostics = answered;
  action.command = { command: "deconflict.resumeAutoSave", title: action.title, arguments: [uri] };
  return [action];
}
