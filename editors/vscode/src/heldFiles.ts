import { type TextDocument, type Uri, window, workspace } from "vscode";
import type { AutoSavePause } from "./autoSave";
import { type Disposable, disposeAll } from "./disposable";
import type { Knowledge } from "./knowledge";
import type { Places } from "./places";
import type { Claim } from "./protocol";
import { holderName } from "./words";

/**
 * The server warns of an edit within this time, in milliseconds, unless it is no clash after all: an agent that edits
 * through this very window, say.
 */
const WARNING_TIME = 5_000;

/** Keeps auto save from a file that another holds, from the first edit until the user has decided. */
export class HeldFiles implements Disposable {
  /** Holdings about which the user has decided, by file. */
  private readonly decided = new Set<string>();
  /** Files that were edited a moment ago and of which no warning came yet. */
  private readonly unwarned = new Map<string, NodeJS.Timeout>();
  private readonly subscriptions: Disposable[];

  constructor(
    private readonly knowledge: Knowledge,
    private readonly places: Places,
    private readonly autoSave: AutoSavePause,
  ) {
    const prepare = () => {
      this.prepare();
    };
    this.subscriptions = [
      knowledge.onChange(() => {
        this.resumeWhatIsFree();
        this.prepare();
      }),
      window.onDidChangeVisibleTextEditors(prepare),
      workspace.onDidChangeConfiguration(prepare),
      workspace.onDidChangeTextDocument(({ document }) => {
        this.edited(document);
      }),
    ];
  }

  /** The user is being warned. Returns whether auto save is paused until they decide. */
  warned(uri: Uri, claim: Claim): boolean {
    this.forget(uri);
    return this.autoSave.pause(uri, holderName(claim));
  }

  /** The user edits it anyway. */
  accept(uri: Uri, claim: Claim): void {
    this.decided.add(holding(uri, claim));
    this.autoSave.resume(uri);
  }

  dispose(): void {
    for (const timer of this.unwarned.values()) {
      clearTimeout(timer);
    }
    disposeAll(this.subscriptions);
  }

  private edited(document: TextDocument): void {
    const { uri } = document;
    if (!document.isDirty || uri.scheme !== "file" || this.autoSave.isPaused(uri) || !warns()) {
      return;
    }
    const claim = this.othersClaim(uri);
    if (claim === undefined || this.decided.has(holding(uri, claim)) || !this.autoSave.pause(uri, holderName(claim))) {
      return;
    }
    const timer = setTimeout(() => {
      this.accept(uri, claim);
      this.forget(uri);
    }, WARNING_TIME);
    this.unwarned.set(uri.toString(), timer);
  }

  private prepare(): void {
    const mayBePaused = ({ uri }: TextDocument) => this.autoSave.isWanted(uri) && this.othersClaim(uri) !== undefined;
    this.autoSave.prepare(warns() && window.visibleTextEditors.some(({ document }) => mayBePaused(document)));
  }

  private resumeWhatIsFree(): void {
    // While the server starts again, nothing is known to be free.
    if (this.knowledge.participation === "active") {
      for (const uri of this.autoSave.files) {
        if (this.othersClaim(uri) === undefined) {
          this.forget(uri);
          this.autoSave.resume(uri);
        }
      }
    }
  }

  private othersClaim(uri: Uri): Claim | undefined {
    return this.places.claimsOf(uri, this.knowledge.claims).find((claim) => claim.own !== true);
  }

  private forget(uri: Uri): void {
    clearTimeout(this.unwarned.get(uri.toString()));
    this.unwarned.delete(uri.toString());
  }
}

/** True if the user wants to be warned. */
export function warns(): boolean {
  return workspace.getConfiguration("deconflict").get<boolean>("warnings.firstEdit", true);
}

function holding(uri: Uri, claim: Claim): string {
  return JSON.stringify([uri.toString(), claim.expected?.id ?? claim.claimed_by ?? null]);
}
