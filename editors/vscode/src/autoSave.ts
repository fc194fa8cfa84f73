import {
  CodeAction,
  CodeActionKind,
  ConfigurationTarget,
  commands,
  Diagnostic,
  DiagnosticSeverity,
  type ExtensionContext,
  l10n,
  languages,
  Range,
  type TextDocument,
  Uri,
  workspace,
} from "vscode";
import { type Disposable, disposeAll } from "./disposable";

/** The editor's own setting by which a file with an error in it is not saved automatically. */
const WHEN_NO_ERRORS = "autoSaveWhenNoErrors";
/** Under which the user's own value of that setting is kept while it is changed. */
const BEFORE = "autoSave.whenNoErrors.before";
const CODE = "auto-save-paused";

/**
 * Pauses auto save for single files. No extension can refuse a save, nor turn auto save off for one file. But the editor
 * leaves alone what has an error while `files.autoSaveWhenNoErrors` is on: so a paused file gets one, and the setting is
 * on as long as a file is paused or may have to be. The user's own value is kept and put back, after a crash by the next
 * window.
 */
export class AutoSavePause implements Disposable {
  private readonly notices = languages.createDiagnosticCollection("deconflict auto save");
  private readonly paused = new Map<string, Uri>();
  private readonly subscriptions: Disposable[];
  private isPrepared = false;
  private turn: Promise<void> = Promise.resolve();

  constructor(private readonly context: ExtensionContext) {
    const resume = (document: TextDocument) => {
      this.resume(document.uri);
    };
    this.subscriptions = [
      this.notices,
      // Whoever saves by hand has decided, and so has who closes or reverts.
      workspace.onDidSaveTextDocument(resume),
      workspace.onDidCloseTextDocument(resume),
      workspace.onDidChangeTextDocument(({ document }) => {
        if (!document.isDirty) {
          resume(document);
        }
      }),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration(`files.${WHEN_NO_ERRORS}`)) {
          // Another window may have put it back.
          this.apply();
        }
      }),
      languages.registerCodeActionsProvider(
        { scheme: "file" },
        { provideCodeActions: (document, _range, asked) => resumeActions(document.uri, asked.diagnostics) },
        { providedCodeActionKinds: [CodeActionKind.QuickFix] },
      ),
    ];
    this.apply();
  }

  /** True if it is on for this file, and the user wants it paused where another holds the file. */
  isWanted(uri: Uri): boolean {
    const mode = workspace.getConfiguration("files", uri).get<string>("autoSave", "off");
    return mode !== "off" && workspace.getConfiguration("deconflict").get<boolean>("autoSave.pause", true);
  }

  /** Turns the editor's setting on ahead, so that a pause comes in time. */
  prepare(isNeeded: boolean): void {
    if (this.isPrepared !== isNeeded) {
      this.isPrepared = isNeeded;
      this.apply();
    }
  }

  /** Pauses it if that is wanted. Returns whether it is paused now. */
  pause(uri: Uri, holder: string): boolean {
    if (!this.isWanted(uri)) {
      return false;
    }
    if (this.isPaused(uri)) {
      return true;
    }
    const text = l10n.t(
      "Auto save is paused for this file, because {0} holds it. Coordination notice, not a code problem: save it yourself, or let auto save go on from this line's menu.",
      holder,
    );
    const notice = new Diagnostic(new Range(0, 0, 0, 1000), text, DiagnosticSeverity.Error);
    notice.source = "deconflict";
    notice.code = CODE;
    this.paused.set(uri.toString(), uri);
    this.notices.set(uri, [notice]);
    this.apply();
    return true;
  }

  isPaused(uri: Uri): boolean {
    return this.paused.has(uri.toString());
  }

  /** Lets it go on. */
  resume(uri: Uri): void {
    if (this.paused.delete(uri.toString())) {
      this.notices.delete(uri);
      this.apply();
    }
  }

  /** The files for which it is paused. */
  get files(): readonly Uri[] {
    return [...this.paused.values()];
  }

  dispose(): void {
    this.paused.clear();
    this.isPrepared = false;
    this.apply();
    disposeAll(this.subscriptions);
  }

  private apply(): void {
    void commands.executeCommand("setContext", "deconflict.autoSavePaused", this.paused.size > 0);
    const action = () => this.applyNow();
    this.turn = this.turn.then(action, action);
  }

  private async applyNow(): Promise<void> {
    const settings = workspace.getConfiguration("files");
    const own = settings.inspect<boolean>(WHEN_NO_ERRORS)?.globalValue ?? null;
    const before = this.context.globalState.get<{ readonly value: boolean | null }>(BEFORE);
    const isNeeded = this.isPrepared || this.paused.size > 0;
    if (isNeeded && own !== true) {
      await this.context.globalState.update(BEFORE, before ?? { value: own });
      await settings.update(WHEN_NO_ERRORS, true, ConfigurationTarget.Global);
    } else if (!isNeeded && before !== undefined) {
      if (own === true) {
        await settings.update(WHEN_NO_ERRORS, before.value ?? undefined, ConfigurationTarget.Global);
      }
      await this.context.globalState.update(BEFORE, undefined);
    }
  }
}

function resumeActions(uri: Uri, diagnostics: readonly Diagnostic[]): CodeAction[] {
  const answered = diagnostics.filter((diagnostic) => diagnostic.code === CODE);
  if (answered.length === 0) {
    return [];
  }
  const action = new CodeAction(l10n.t("Edit anyway: let auto save go on for this file"), CodeActionKind.QuickFix);
  action.diagnostics = answered;
  action.command = { command: "deconflict.resumeAutoSave", title: action.title, arguments: [uri] };
  return [action];
}
