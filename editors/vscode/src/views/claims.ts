import { basename } from "node:path";
import { l10n, ThemeColor, ThemeIcon, TreeItem } from "vscode";
import type { Knowledge } from "../knowledge";
import type { Places } from "../places";
import { type Claim, isStale } from "../protocol";
import { aboutClaim, claimPeriod, clockTime, holderName, resourceName, table } from "../words";
import { ClaimNode } from "./nodes";
import { List } from "./refresh";

/** What is held: yours first, then what others hold, then what counts no more. */
export class ClaimsList extends List<ClaimNode> {
  constructor(
    knowledge: Knowledge,
    private readonly places: Places,
  ) {
    super("deconflict.claims", knowledge);
  }

  getChildren(element?: ClaimNode): ClaimNode[] {
    if (element !== undefined) {
      return [];
    }
    const rank = (claim: Claim) => (claim.own === true ? 0 : isStale(claim) ? 2 : 1);
    return [...this.knowledge.claims]
      .sort((a, b) => rank(a) - rank(b) || resourceName(a).localeCompare(resourceName(b)))
      .map((claim) => new ClaimNode(claim));
  }

  getTreeItem(element: ClaimNode): TreeItem {
    return claimItem(element.claim, this.places, Date.now(), false);
  }
}

/** A claim in a list. Below its holder, the holder need not be named again. */
export function claimItem(claim: Claim, places: Places, now: number, isBelowHolder: boolean): TreeItem {
  const name = resourceName(claim);
  const isFile = claim.resource_type === "file";
  const item = new TreeItem(isFile ? basename(name) : name);
  const folder = isFile && name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "";
  item.description = [isBelowHolder ? "" : holderName(claim), claimPeriod(claim, now), folder]
    .filter((part) => part !== "")
    .join(" · ");
  item.id = `${isBelowHolder ? "held" : "claim"} ${claim.claimed_by ?? ""} ${claim.resource_type}/${claim.resource_name}`;
  item.iconPath = icon(claim);
  item.contextValue = [
    "claim",
    claim.own === true ? "own" : "other",
    isStale(claim) ? "stale" : "held",
    claim.path === null || claim.path === undefined ? "" : claim.resource_type,
    claim.automatic === true ? "automatic" : "",
    claim.allow_coordination === false ? "" : "coordinates",
  ]
    .filter((part) => part !== "")
    .join(" ");
  item.tooltip = table(name, [
    [l10n.t("Holder"), claim.own === true ? l10n.t("you") : holderName(claim)],
    [l10n.t("State"), aboutClaim(claim, now)],
    [l10n.t("Since"), clockTime(claim.claimed_at, now)],
    [l10n.t("Until"), clockTime(claim.active_until, now)],
    [l10n.t("Made"), claim.automatic === true ? l10n.t("by the first edit") : l10n.t("by hand")],
    [l10n.t("Phase"), claim.phase],
    [l10n.t("Branch"), claim.branch],
    [l10n.t("Wants no messages about it"), claim.allow_coordination === false ? l10n.t("yes") : undefined],
  ]);
  const uri = places.uriOf(claim.path);
  if (uri !== undefined && isFile) {
    item.command = { command: "vscode.open", title: l10n.t("Open"), arguments: [uri] };
  }
  item.accessibilityInformation = { label: `${name}, ${aboutClaim(claim, now)}` };
  return item;
}

function icon(claim: Claim): ThemeIcon {
  if (claim.own === true) {
    return new ThemeIcon("lock", new ThemeColor("deconflict.heldByYouForeground"));
  }
  if (isStale(claim)) {
    return new ThemeIcon("history", new ThemeColor("disabledForeground"));
  }
  if (claim.standing === "damaged" || claim.standing === "pending") {
    return new ThemeIcon("question", new ThemeColor("list.warningForeground"));
  }
  return new ThemeIcon("lock", new ThemeColor("deconflict.heldByOthersForeground"));
}
