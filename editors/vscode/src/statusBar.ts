import { l10n, MarkdownString, StatusBarAlignment, ThemeColor, window, workspace } from "vscode";
import type { Knowledge } from "./knowledge";
import type { Places } from "./places";
import type { Server } from "./server";
import { blocks, type Claim } from "./protocol";
import { openFiles } from "./tabs";
import { isUnsaved } from "./unsaved";
import { aboutClaim, holderName, oneLine, resourceName } from "./words";
import { type Disposable, disposeAll } from "./disposable";

/** So many claims are named in the tooltip. */
const MOST_NAMED = 8;

/** One item, in a window with a folder: who holds the file in front, how much you hold, how many open files others hold, unread messages. */
export class StatusBar implements Disposable {
  private readonly item = window.createStatusBarItem("deconflict", StatusBarAlignment.Left, 40);
  private readonly subscriptions: Disposable[];

  constructor(
    private readonly server: Server,
    private readonly knowledge: Knowledge,
    private readonly places: Places,
  ) {
    this.item.name = "Deconflict";
    this.item.command = "deconflict.actions";
    const show = () => {
      this.show();
    };
    this.subscriptions = [
      this.item,
      knowledge.onChange(show),
      window.onDidChangeActiveTextEditor(show),
      window.tabGroups.onDidChangeTabs(show),
      workspace.onDidChangeWorkspaceFolders(show),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("deconflict.quiet")) {
          show();
        }
      }),
    ];
    this.show();
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  private show(): void {
    if (!this.server.hasFolder) {
      this.item.hide();
      return;
    }
    this.item.show();
    const { participation } = this.knowledge;
    this.item.backgroundColor = undefined;
    switch (participation) {
      case "starting":
        this.set("$(loading~spin) Deconflict", l10n.t("Deconflict is starting"));
        return;
      case "stopped":
        this.item.backgroundColor = new ThemeColor("statusBarItem.errorBackground");
        this.set("$(error) Deconflict", l10n.t("Deconflict is not running: others can't see your edits"));
        return;
      case "inactive":
        this.set("$(circle-slash) Deconflict", l10n.t("Deconflict is not active in this folder"));
        return;
      default:
        this.showClaims();
    }
  }

  private showClaims(): void {
    const held = this.knowledge.claims.filter((claim) => claim.own === true);
    const others = this.knowledge.claims.filter((claim) => claim.own !== true && blocks(claim));
    const open = openFiles();
    const othersOpen = others.filter((claim) => open.some((uri) => this.places.claimsOf(uri, [claim]).length > 0));
    const active = window.activeTextEditor?.document.uri;
    const [inFront] = active === undefined ? [] : this.places.claimsOf(active, othersOpen);
    const unread = this.knowledge.unread.length;
    const losses = this.knowledge.losses.length;
    const contended = this.knowledge.contended.length;
    const isQuiet = workspace.getConfiguration("deconflict").get<boolean>("quiet", false);
    const parts = [
      inFront === undefined ? "" : `$(person) ${oneLine(holderName(inFront), 24)}`,
      held.length === 0 ? "" : `$(lock) ${held.length}`,
      othersOpen.length === 0 || (inFront !== undefined && othersOpen.length === 1) ? "" : `$(organization) ${othersOpen.length}`,
      unread === 0 ? "" : `$(mail) ${unread}`,
      losses + contended === 0 ? "" : `$(warning) ${losses + contended}`,
      isQuiet ? "$(bell-slash)" : "",
    ].filter((part) => part !== "");
    // Looking at what another holds is no reason for a colour; editing it is.
    const isInTheWay = inFront !== undefined && !this.knowledge.isOfSamePerson(inFront.claimed_by);
    if ((isInTheWay && active !== undefined && isUnsaved(active)) || losses + contended > 0) {
      this.item.backgroundColor = new ThemeColor("statusBarItem.warningBackground");
    }
    const spoken = [
      inFront === undefined ? "" : aboutClaim(inFront, Date.now()),
      l10n.t("you hold {0}", held.length),
      l10n.t("others hold {0} of your open files", othersOpen.length),
      l10n.t("{0} unread", unread),
      losses === 0 ? "" : l10n.t("others changed {0} of your files", losses),
      contended === 0 ? "" : l10n.t("others are editing {0} of your files", contended),
      isQuiet ? l10n.t("quiet mode is on") : "",
    ];
    this.set(
      parts.length === 0 ? "$(check) Deconflict" : parts.join("  "),
      spoken.filter((part) => part !== "").join(", "),
      this.tooltip(held, othersOpen, unread, isQuiet),
    );
  }

  private tooltip(held: readonly Claim[], othersOpen: readonly Claim[], unread: number, isQuiet: boolean): MarkdownString {
    const now = Date.now();
    const markdown = new MarkdownString();
    const { session, others } = this.knowledge;
    markdown.appendMarkdown("**Deconflict**");
    if (session !== null) {
      markdown.appendText(` · ${oneLine(session.label)}`);
    }
    const lines = [
      others.length === 0
        ? l10n.t("Nobody else is here")
        : l10n.t("Also here: {0}", [...new Set(others.map((other) => oneLine(other.label, 30)))].slice(0, MOST_NAMED).join(", ")),
      held.length === 0 ? l10n.t("You hold nothing") : l10n.t("You hold {0}", names(held)),
      ...othersOpen.slice(0, MOST_NAMED).map((claim) => `${resourceName(claim)}: ${aboutClaim(claim, now)}`),
      ...[...this.knowledge.losses, ...this.knowledge.contended].map((loss) => this.knowledge.sentenceOf(loss)),
      isQuiet ? l10n.t("Quiet mode is on: nothing pops up") : "",
      unread === 0 ? "" : unread === 1 ? l10n.t("One unread message") : l10n.t("{0} unread messages", unread),
    ];
    for (const line of lines.filter((text) => text !== "")) {
      markdown.appendMarkdown("\n\n").appendText(line);
    }
    return markdown;
  }

  private set(text: string, spoken: string, tooltip: MarkdownString | string = spoken): void {
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.accessibilityInformation = { label: `Deconflict: ${spoken}`, role: "button" };
  }
}

function names(claims: readonly Claim[]): string {
  const first = claims.slice(0, MOST_NAMED).map(resourceName).join(", ");
  return claims.length > MOST_NAMED ? l10n.t("{0} and {1} more", first, claims.length - MOST_NAMED) : first;
}
