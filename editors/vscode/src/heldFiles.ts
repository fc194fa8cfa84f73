import { type Memento, type TextDocument, type Uri, workspace } from "vscode";
import type { AutoSavePause } from "./autoSave";
import { type Disposable, disposeAll } from "./disposable";
import type { Knowledge } from "./knowledge";
import type { Log } from "./log";
import type { Places } from "./places";
import type { Claim } from "./protocol";
import { isUnsaved } from "./unsaved";
import { holderName } from "./words";

/**
 * The server warns of an edit within this time, in milliseconds, unless it is no clash after all: an agent that edits
 * through this very window, say.
 */
const WARNING_TIME = 5_000;
/** So long, in milliseconds, an edited file waits at most until it is known whether another holds it. */
const UNKNOWN_TIME = 5_000;
/** Where decisions are kept while the window is loaded again. */
const DECIDED = "decided";
/** So many decisions are kept. */
const MOST_DECIDED = 200;

/** Keeps auto save from a file that another person holds, from the first edit until the user has decided. */
export class HeldFiles implements Disposable {
  /** Files that the user edits anyway, whoever is named holding them. */
  private readonly decided: Set<string>;
  /** Files that were edited a moment ago and of which no warning came yet. */
  private readonly unwarned = new Map<string, NodeJS.Timeout>();
  /** Files that were edited before it was known whether another holds them. */
  private readonly unknown = new Map<string, { readonly document: TextDocument; readonly timer: NodeJS.Timeout }>();
  private readonly subscriptions: Disposable[];

  constructor(
    private readonly knowledge: Knowledge,
    private readonly places: Places,
    private readonly autoSave: AutoSavePause,
    private readonly memory: Memento,
    private readonly log: Log,
  ) {
    this.decided = new Set(memory.get<string[]>(DECIDED, []));
    this.subscriptions = [
      knowledge.onChange(() => {
        this.judgeTheUnknown();
        this.resumeWhatIsFree();
      }),
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
    return isUnsaved(uri) && this.autoSave.pause(uri, holderName(claim));
  }

  /** The user edits it anyway, until somebody else holds it. */
  accept(uri: Uri, claim: Claim): void {
    this.decided.add(holding(uri, claim));
    void this.memory.update(DECIDED, [...this.decided].slice(-MOST_DECIDED));
    this.log.decided("edit anyway", uri, holderName(claim));
    this.autoSave.resume(uri);
  }

  /** True if the user said already that they edit it anyway. */
  isAccepted(uri: Uri, claim: Claim): boolean {
    return this.decided.has(holding(uri, claim));
  }

  /** The user edits all paused files, or one of them, anyway. */
  acceptPaused(uris: readonly Uri[]): void {
    for (const uri of uris) {
      const claim = this.othersClaim(uri);
      if (claim === undefined) {
        this.autoSave.resume(uri);
      } else {
        this.accept(uri, claim);
      }
    }
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
      this.log.decided("auto save is paused", uri, holderName(claim));
      const timer = setTimeout(() => {
        this.log.decided("no warning came, auto save goes on", uri);
        this.autoSave.resume(uri);
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

  private resumeWhatIsFree(): void {
    // While the server starts again, nothing is known to be free.
    if (this.knowledge.participation === "active") {
      for (const uri of this.autoSave.files) {
        if (this.othersClaim(uri) === undefined) {
          this.forget(uri);
          this.autoSave.resume(uri);
          this.log.decided("free again, auto save goes on", uri);
        }
      }
    }
  }

  /** A claim by another person: one's own agents and windows are no reason to keep anything from being saved. */
  private othersClaim(uri: Uri): Claim | undefined {
    const claims = this.knowledge.othersClaims.filter(({ claimed_by: holder }) => !this.knowledge.isOfSamePerson(holder));
    return this.places.claimsOf(uri, claims)[0];
  }

  /** What keeps a file, unless the user has decided to edit it all the same. */
  private undecidedClaim(uri: Uri): Claim | undefined {
    const claim = this.othersClaim(uri);
    return claim === undefined || this.isAccepted(uri, claim) ? undefined : claim;
  }

  private forget(uri: Uri): void {
    clearTimeout(this.unwarned.get(uri.toString()));
    this.unwarned.delete(uri.toString());
  }
}

/** True if the user wants to be warned. */
export function warns(): boolean {
  const settings = workspace.getConfiguration("deconflict");
  return settings.get<boolean>("warnings.firstEdit", true) && !settings.get<boolean>("quiet", false);
}

function holding(uri: Uri, claim: Claim): string {
  return JSON.stringify([uri.toString(), claim.claimed_by ?? null]);
}
