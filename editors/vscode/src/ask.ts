import { l10n, type QuickPickItem, ThemeIcon, window } from "vscode";
import type { Knowledge } from "./knowledge";
import { BROADCAST, type Claim, type Place, type Session } from "./protocol";
import { claimPeriod, clockTime, holderName, oneLine, resourceName, sessionName } from "./words";

interface SessionItem extends QuickPickItem {
  readonly id: string;
}

interface ClaimItem extends QuickPickItem {
  readonly claim: Claim;
}

/** Asks for one of the other sessions, or of those given, or for everyone where that makes sense. */
export async function askSession(
  knowledge: Knowledge,
  title: string,
  { everyone, among }: { readonly everyone: boolean; readonly among?: readonly Session[] },
): Promise<string | undefined> {
  const { others } = knowledge;
  const items: SessionItem[] = (among ?? others).map((session) => ({
    id: session.session_id,
    label: sessionName(session),
    description: aboutSession(session, among ?? others),
    iconPath: new ThemeIcon("person"),
  }));
  if (items.length === 0) {
    void window.showInformationMessage(l10n.t("Nobody else is here at the moment."));
    return undefined;
  }
  if (everyone) {
    items.push({
      id: BROADCAST,
      label: l10n.t("Everyone"),
      description: l10n.t("everyone here now, and whoever comes within the hour"),
      iconPath: new ThemeIcon("megaphone"),
    });
  }
  const chosen = await window.showQuickPick(items, { title, placeHolder: l10n.t("Choose a session"), matchOnDescription: true });
  return chosen?.id;
}

/** What a session works on; where another is called the same, also since when it is here. */
function aboutSession(session: Session, all: readonly Session[]): string {
  const isAlone = all.filter(({ label }) => label === session.label).length === 1;
  const since = isAlone ? "" : l10n.t("since {0}", clockTime(session.started_at));
  return [oneLine(session.current_work ?? ""), since].filter((part) => part !== "").join(" · ");
}

/** Asks for one of these claims. */
export async function askClaim(claims: readonly Claim[], title: string, none: string): Promise<Claim | undefined> {
  if (claims.length === 0) {
    void window.showInformationMessage(none);
    return undefined;
  }
  const now = Date.now();
  const items: ClaimItem[] = claims.map((claim) => ({
    claim,
    label: resourceName(claim),
    description: claim.own === true ? claimPeriod(claim, now) : `${holderName(claim)} · ${claimPeriod(claim, now)}`,
    iconPath: new ThemeIcon(claim.resource_type === "directory" ? "folder" : "file"),
  }));
  const chosen = await window.showQuickPick(items, { title, placeHolder: l10n.t("Choose a claim"), matchOnDescription: true });
  return chosen?.claim;
}

/** Asks for one of these waits. The only one is meant. */
export async function askPlace(places: readonly Place[]): Promise<Place | undefined> {
  const [only, ...more] = places;
  if (only === undefined) {
    void window.showInformationMessage(l10n.t("None of your sessions is waiting for anything."));
  }
  if (more.length === 0) {
    return only;
  }
  const items = places.map((place) => ({
    place,
    label: oneLine(place.resource),
    description: l10n.t("number {0} in line", place.place) + ` · ${clockTime(place.since)}`,
    iconPath: new ThemeIcon("watch"),
  }));
  const chosen = await window.showQuickPick(items, { title: l10n.t("Leave the Queue"), matchOnDescription: true });
  return chosen?.place;
}

/** Asks for a line of text. `undefined` means that the user thought better of it. */
export async function askText(
  title: string,
  prompt: string,
  { value = "", mayBeEmpty = false }: { readonly value?: string; readonly mayBeEmpty?: boolean } = {},
): Promise<string | undefined> {
  const text = await window.showInputBox({
    title,
    prompt,
    value,
    ignoreFocusOut: true,
    validateInput: (given) => (mayBeEmpty || given.trim() !== "" ? undefined : l10n.t("Write something, or press Escape.")),
  });
  return text?.trim();
}

/** Asks before something that others will feel. */
export async function confirm(text: string, action: string, detail?: string): Promise<boolean> {
  const options = detail === undefined ? { modal: true } : { modal: true, detail };
  return (await window.showWarningMessage(text, options, action)) === action;
}
