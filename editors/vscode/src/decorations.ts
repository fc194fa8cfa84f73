import {
  EventEmitter,
  FileDecoration,
  type FileDecorationProvider,
  l10n,
  ThemeColor,
  Uri,
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
  private readonly emitter = new EventEmitter<Uri[]>();
  readonly onDidChangeFileDecorations = this.emitter.event;
  /** The paths that the editor asked for and that have no mark of their own. */
  private readonly seen = new Set<string>();
  /** Claimed folders, whose contents are claimed with them. */
  private folders: Claim[] = [];
  /** What each path shows. */
  private shown = new Map<string, Mark>();
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
    const mark = this.shown.get(uri.fsPath) ?? this.markOfFolderAbove(uri);
    return mark === undefined ? undefined : new FileDecoration(mark.badge, mark.tooltip, mark.isOwn ? OWN_COLOR : OTHERS_COLOR);
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  /** Only what differs from before is drawn anew: marks that come and go at each change of anybody's are seen as unrest. */
  private update(): void {
    const wanted = workspace.getConfiguration("deconflict").get<string>("explorer.decorations", "all");
    const claims = this.knowledge.claims.filter(
      (claim) => wanted !== "none" && blocks(claim) && (wanted === "all" || claim.own !== true),
    );
    const at = new Map<string, Claim[]>();
    const below = new Map<string, Claim[]>();
    for (const claim of claims) {
      const path = this.pathOf(claim);
      if (path !== undefined) {
        add(at, path, claim);
        for (const folder of foldersAbove(path)) {
          add(below, folder, claim);
        }
      }
    }
    const foldersBefore = this.folders;
    this.folders = claims.filter((claim) => claim.resource_type === "directory");
    const shown = new Map<string, Mark>();
    for (const [path, held] of at) {
      shown.set(path, markOf(held));
    }
    for (const [path, held] of below) {
      if (!shown.has(path)) {
        shown.set(path, markOfFolder(held));
      }
    }
    const before = this.shown;
    this.shown = shown;
    const changed = [...new Set([...before.keys(), ...shown.keys()])].filter((path) => !isSame(before.get(path), shown.get(path)));
    // What lies in a claimed folder is not listed: the editor knows what of it is in sight.
    const inFolders = isSameFolders(foldersBefore, this.folders) ? [] : this.seenBelow([...foldersBefore, ...this.folders]);
    const uris = [...changed, ...inFolders].map((path) => Uri.file(path));
    if (uris.length > 0) {
      this.emitter.fire(uris);
    }
  }

  private markOfFolderAbove(uri: Uri): Mark | undefined {
    const [claim] = this.folders.length === 0 ? [] : this.places.claimsOf(uri, this.folders);
    // It was asked for, so it is in sight.
    this.seen.add(uri.fsPath);
    return claim === undefined ? undefined : markOf([claim]);
  }

  private seenBelow(folders: readonly Claim[]): string[] {
    const paths = folders.map((claim) => this.pathOf(claim)).filter((path) => path !== undefined);
    return [...this.seen].filter((seen) => foldersAbove(seen).some((folder) => paths.includes(folder)));
  }

  private pathOf(claim: Claim): string | undefined {
    return this.places.uriOf(claim.path)?.fsPath;
  }
}

/** What one path shows. */
interface Mark {
  readonly badge: string;
  readonly tooltip: string;
  readonly isOwn: boolean;
}

/** Others' claims come first: they stand in the way. */
function markOf(held: readonly Claim[]): Mark {
  const claim = held.find(({ own }) => own !== true) ?? held[0];
  const isOwn = claim?.own === true;
  return { badge: isOwn ? OWN_BADGE : OTHERS_BADGE, tooltip: claim === undefined ? "" : aboutClaim(claim, Date.now()), isOwn };
}

/** Git's colours of folders win over ours, so that a folder has a mark too. */
function markOfFolder(below: readonly Claim[]): Mark {
  const others = below.filter((claim) => claim.own !== true);
  return others.length > 0
    ? { badge: OTHERS_BADGE, tooltip: l10n.t("Held in here: {0}", named(others)), isOwn: false }
    : { badge: OWN_BADGE, tooltip: l10n.t("You hold in here: {0}", named(below)), isOwn: true };
}

function isSame(one: Mark | undefined, other: Mark | undefined): boolean {
  return one?.badge === other?.badge && one?.tooltip === other?.tooltip;
}

function isSameFolders(some: readonly Claim[], others: readonly Claim[]): boolean {
  const told = (claims: readonly Claim[]) => JSON.stringify(claims.map((claim) => [claim.path, aboutClaim(claim, 0)]));
  return told(some) === told(others);
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
