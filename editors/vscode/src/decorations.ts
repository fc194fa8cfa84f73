import {
  EventEmitter,
  FileDecoration,
  type FileDecorationProvider,
  l10n,
  ThemeColor,
  type Uri,
  window,
  workspace,
} from "vscode";
import type { Knowledge } from "./knowledge";
import { foldersAbove, type Places } from "./places";
import { blocks, type Claim } from "./protocol";
import { aboutClaim, holderName, resourceName } from "./words";
import { type Disposable, disposeAll } from "./disposable";

const OTHERS_BADGE = "◆";
const OWN_BADGE = "◇";
const OTHERS_COLOR = new ThemeColor("deconflict.heldByOthersForeground");
const OWN_COLOR = new ThemeColor("deconflict.heldByYouForeground");
/** So many files are named in a folder's tooltip. */
const MOST_NAMED = 5;

/** Badges and colours on the files and folders that somebody holds, and on the folders that such files are in. */
export class Decorations implements FileDecorationProvider, Disposable {
  private readonly emitter = new EventEmitter<undefined>();
  readonly onDidChangeFileDecorations = this.emitter.event;
  /** Claims by the path that they are about, and by each folder above it. */
  private at = new Map<string, Claim[]>();
  private below = new Map<string, Claim[]>();
  /** Claimed folders, whose contents are claimed with them. */
  private folders: Claim[] = [];
  private shown = "";
  private readonly subscriptions: Disposable[];

  constructor(
    private readonly knowledge: Knowledge,
    private readonly places: Places,
  ) {
    this.subscriptions = [
      window.registerFileDecorationProvider(this),
      this.emitter,
      knowledge.onChange(() => {
        this.update();
      }),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("deconflict.explorer.decorations")) {
          this.update();
        }
      }),
    ];
  }

  provideFileDecoration(uri: Uri): FileDecoration | undefined {
    if (uri.scheme !== "file") {
      return undefined;
    }
    const above = this.folders.length === 0 ? [] : this.places.claimsOf(uri, this.folders);
    const held = [...(this.at.get(uri.fsPath) ?? []), ...above.filter((claim) => this.pathOf(claim) !== uri.fsPath)];
    const others = held.filter((claim) => claim.own !== true);
    const now = Date.now();
    const [claim] = others.length > 0 ? others : held;
    if (claim !== undefined) {
      const isOwn = claim.own === true;
      return new FileDecoration(isOwn ? OWN_BADGE : OTHERS_BADGE, aboutClaim(claim, now), isOwn ? OWN_COLOR : OTHERS_COLOR);
    }
    const below = this.below.get(uri.fsPath) ?? [];
    const othersBelow = below.filter((claim) => claim.own !== true);
    if (othersBelow.length > 0) {
      return new FileDecoration(undefined, l10n.t("Held in here: {0}", named(othersBelow)), OTHERS_COLOR);
    }
    return below.length > 0 ? new FileDecoration(undefined, l10n.t("You hold in here: {0}", named(below)), OWN_COLOR) : undefined;
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  private update(): void {
    const wanted = workspace.getConfiguration("deconflict").get<string>("explorer.decorations", "all");
    const claims = this.knowledge.claims.filter(
      (claim) => wanted !== "none" && blocks(claim) && (wanted === "all" || claim.own !== true),
    );
    const shown = JSON.stringify(
      claims.map((claim) => [claim.path, claim.own, claim.claimed_by, claim.holder_label, claim.claimed_at, claim.automatic, claim.active_until]),
    );
    if (shown === this.shown) {
      return;
    }
    this.shown = shown;
    this.at = new Map();
    this.below = new Map();
    this.folders = claims.filter((claim) => claim.resource_type === "directory");
    for (const claim of claims) {
      const path = this.pathOf(claim);
      if (path !== undefined) {
        add(this.at, path, claim);
        for (const folder of foldersAbove(path)) {
          add(this.below, folder, claim);
        }
      }
    }
    this.emitter.fire(undefined);
  }

  private pathOf(claim: Claim): string | undefined {
    return this.places.uriOf(claim.path)?.fsPath;
  }
}

function add(map: Map<string, Claim[]>, path: string, claim: Claim): void {
  const known = map.get(path);
  if (known === undefined) {
    map.set(path, [claim]);
  } else {
    known.push(claim);
  }
}

function named(claims: readonly Claim[]): string {
  const names = claims.slice(0, MOST_NAMED).map((claim) => `${resourceName(claim)} (${holderName(claim)})`);
  const rest = claims.length - names.length;
  return rest > 0 ? l10n.t("{0} and {1} more", names.join(", "), rest) : names.join(", ");
}
