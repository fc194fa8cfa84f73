import { basename } from "node:path";
import { l10n, ThemeColor, ThemeIcon, TreeItem } from "vscode";
import type { Knowledge } from "../knowledge";
import type { Places } from "../places";
import { type Claim, isStale, type Place } from "../protocol";
import { aboutClaim, claimPeriod, clockTime, holderName, oneLine, resourceName, sentence, table } from "../words";
import { ClaimNode, PlaceNode } from "./nodes";
import { List } from "./refresh";

/** What is held: yours first, then what others hold, what is of the machine, and what counts no more; then who waits. */
export class ClaimsList extends List<ClaimNode | PlaceNode> {
  constructor(
    knowledge: Knowledge,
    private readonly places: Places,
  ) {
    super("deconflict.claims", knowledge);
  }

  getChildren(element?: ClaimNode | PlaceNode): (ClaimNode | PlaceNode)[] {
    if (element !== undefined) {
      return [];
    }
    const rank = (claim: Claim) => (claim.own === true ? 0 : isStale(claim) ? 3 : claim.machine === true ? 2 : 1);
    const claims = [...this.knowledge.claims, ...this.knowledge.claimsOfMachine]
      .sort((a, b) => rank(a) - rank(b) || resourceName(a).localeCompare(resourceName(b)))
      .map((claim) => new ClaimNode(claim));
    return [...claims, ...this.knowledge.waiting.map((place) => new PlaceNode(place))];
  }

  getTreeItem(element: ClaimNode | PlaceNode): TreeItem {
    return element.kind === "place"
      ? placeItem(element.place, Date.now())
      : claimItem(element.claim, this.places, Date.now(), false);
  }
}

/** A claim in a list. Below its holder, the holder need not be named again. */
export function claimItem(claim: Claim, places: Places, now: number, isBelowHolder: boolean): TreeItem {
  const name = resourceName(claim);
  const isFile = claim.resource_type === "file";
  const item = new TreeItem(isFile ? basename(name) : name);
  const folder = isFile && name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "";
  const scope = claim.machine === true ? l10n.t("this machine") : "";
  item.description = [isBelowHolder ? "" : holderName(claim), claimPeriod(claim, now), folder, scope]
    .filter((part) => part !== "")
    .join(" · ");
  item.id = `${isBelowHolder ? "held" : "claim"} ${claim.claimed_by ?? ""} ${claim.resource_type}/${claim.resource_name}`;
  item.iconPath = icon(claim);
  item.contextValue = [
    "claim",
    claim.machine === true ? "machine" : claim.own === true ? "own" : "other",
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
    [l10n.t("Doesn't want messages about it"), claim.allow_coordination === false ? l10n.t("yes") : undefined],
  ]);
  const uri = places.uriOf(claim.path);
  if (uri !== undefined && isFile) {
    item.command = { command: "vscode.open", title: l10n.t("Open"), arguments: [uri] };
  }
  item.accessibilityInformation = { label: `${name}, ${aboutClaim(claim, now)}` };
  return item;
}

/** Who waits for what, in which place. */
export function placeItem(place: Place, now: number): TreeItem {
  const what = oneLine(place.resource);
  const who = oneLine(place.label ?? place.session ?? l10n.t("somebody"), 40);
  const inLine = l10n.t("number {0} in line", place.place);
  const since = l10n.t("since {0}", clockTime(place.since, now));
  const item = new TreeItem(what);
  item.id = `place ${place.repository ?? "machine"} ${place.ticket}`;
  item.description = [inLine, who, since, place.machine === true ? l10n.t("this machine") : ""]
    .filter((part) => part !== "")
    .join(" · ");
  item.iconPath = new ThemeIcon("watch");
  item.contextValue = `place ${place.own === true ? "own" : "other"}${place.machine === true ? " machine" : ""}`;
  item.tooltip = table(what, [
    [l10n.t("Waits"), sentence(who)],
    [l10n.t("Place"), inLine],
    [l10n.t("Since"), clockTime(place.since, now)],
    [l10n.t("Didn't take it when it was free"), place.passed ? l10n.t("yes") : undefined],
  ]);
  item.accessibilityInformation = { label: [what, inLine, who, since].join(", ") };
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
