import { type TextDocument, type Uri, window, workspace } from "vscode";
import type { AutoSavePause } from "./autoSave";
import { type Disposable, disposeAll } from "./disposable";
import type { Knowledge } from "./knowledge";
import type { Places } from "./places";
import type { Claim } from "./protocol";
import { filesInFront } from "./tabs";
import { holderName } from "./words";

/**
 * The server warns of an edit within this time, in milliseconds, unless it is no clash after all: an agent that edits
 * through this very window, say.
 */
const WARNING_TIME = 5_000;
/** So long, in milliseconds, an edited file waits at most until it is known whether another holds it. */
const UNKNOWN_TIME = 5_000;

/** Keeps auto save from a file that another holds, from the first edit until the user has decided. */
export class HeldFiles implements Disposable {
  /** Holdings about which the user has decided, by file. */
  private readonly decided = new Set<string>();
  /** Files that were edited a moment ago and of which no warning came yet. */
  private readonly unwarned = new Map<string, NodeJS.Timeout>();
  /** Files that were edited before it was known whether another holds them. */
  private readonly unknown = new Map<string, { readonly document: TextDocument; readonly timer: NodeJS.Timeout }>();
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
        this.judgeTheUnknown();
        this.resumeWhatIsFree();
        this.prepare();
      }),
      // A tab is there before its text is.
      window.tabGroups.onDidChangeTabs(prepare),
      window.tabGroups.onDidChangeTabGroups(prepare),
      workspace.onDidChangeConfiguration(prepare),
      workspace.onDidChangeTextDocument(({ document }) => {
        this.edited(document);
      }),
    ];
    // What was edited before the window was closed the last time comes back unsaved.
    for (const document of workspace.textDocuments) {
      this.edited(document);
    }
  }

  /** The user is being warned. Returns whether auto save is paused until they decide. */
  warned(uri: Uri, claim: Claim): boolean {
    this.forget(uri);
    const isUnsaved = workspace.textDocuments.some((document) => document.isDirty && document.uri.toString() === uri.toString());
    return isUnsaved && this.autoSave.pause(uri, holderName(claim));
  }

  /** The user edits it anyway. */
  accept(uri: Uri, claim: Claim): void {
    this.decided.add(holding(uri, claim));
    this.autoSave.resume(uri);
    this.prepare();
  }

  dispose(): void {
    for (const timer of [...this.unwarned.values(), ...[...this.unknown.values()].map((one) => one.timer)]) {
      clearTimeout(timer);
    }
    disposeAll(this.subscriptions);
  }

  private edited(document: TextDocument): void {
    const { uri } = document;
    if (!document.isDirty || uri.scheme !== "file" || this.autoSave.isPaused(uri) || !warns()) {
      return;
    }
    if (!this.knowledge.isKnown) {
      this.waitForKnowledge(document);
      return;
    }
    const claim = this.undecidedClaim(uri);
    if (claim !== undefined) {
      this.pauseUntilWarned(uri, claim);
    }
  }

  private pauseUntilWarned(uri: Uri, claim: Claim): void {
    if (this.autoSave.pause(uri, holderName(claim))) {
      const timer = setTimeout(() => {
        this.accept(uri, claim);
        this.forget(uri);
      }, WARNING_TIME);
      this.unwarned.set(uri.toString(), timer);
    }
  }

  private waitForKnowledge(document: TextDocument): void {
    const { uri } = document;
    if (this.autoSave.pause(uri, undefined)) {
      const timer = setTimeout(() => {
        this.unknown.delete(uri.toString());
        this.autoSave.resume(uri);
      }, UNKNOWN_TIME);
      this.unknown.set(uri.toString(), { document, timer });
    }
  }

  private judgeTheUnknown(): void {
    if (this.knowledge.isKnown) {
      for (const [key, { document, timer }] of this.unknown) {
        clearTimeout(timer);
        this.unknown.delete(key);
        const claim = document.isDirty ? this.undecidedClaim(document.uri) : undefined;
        if (claim === undefined) {
          this.autoSave.resume(document.uri);
        } else if (!this.unwarned.has(key)) {
          this.pauseUntilWarned(document.uri, claim);
        }
      }
    }
  }

  private prepare(): void {
    const held = filesInFront().flatMap((uri) => {
      const claim = warns() ? this.undecidedClaim(uri) : undefined;
      return claim === undefined ? [] : [{ uri, holder: holderName(claim) }];
    });
    this.autoSave.prepare(held);
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

  /** What keeps a file, unless the user has decided to edit it all the same. */
  private undecidedClaim(uri: Uri): Claim | undefined {
    const claim = this.othersClaim(uri);
    return claim === undefined || this.decided.has(holding(uri, claim)) ? undefined : claim;
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
