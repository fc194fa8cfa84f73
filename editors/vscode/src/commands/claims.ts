import { basename } from "node:path";
import { commands, l10n, ProgressLocation, Uri, window } from "vscode";
import { askClaim, askPlace, askSession, askText, confirm } from "../ask";
import type { Tools } from "../tools";
import { blocks, type Claim } from "../protocol";
import { ClaimNode, MessageNode, PlaceNode, SessionNode } from "../views/nodes";
import { holderName, oneLine } from "../words";
import { activeFile, type Argument, givenSubjects, menuArgument, type Subject, subjectOf } from "./target";

/** From so many files on, the user sees how far it is. */
const MANY = 5;

/** What somebody can do about a claim. */
export function claimCommands(tools: Tools): Record<string, (argument: Argument, selected?: Uri[]) => Promise<void>> {
  const { server, knowledge, autoSave, heldFiles, places, journalDocuments } = tools;

  const own = () => knowledge.claims.filter((claim) => claim.own === true);
  const others = () => knowledge.claims.filter((claim) => claim.own !== true);

  /** The given subject, else the file in front, else one that the user picks. */
  async function subject(
    argument: Argument,
    claims: readonly Claim[],
    title: string,
    none: string,
  ): Promise<Subject | undefined> {
    const [given] = givenSubjects(argument);
    if (given !== undefined) {
      return given;
    }
    const file = activeFile();
    if (file !== undefined) {
      const [claim] = places.claimsOf(file, claims);
      if (claim !== undefined) {
        return { uri: file.toString(), ...subjectOf(claim) };
      }
    }
    const claim = await askClaim(claims, title, none);
    return claim === undefined ? undefined : subjectOf(claim);
  }

  async function each(subjects: readonly Subject[], title: string, action: (subject: Subject) => Promise<boolean>): Promise<void> {
    if (subjects.length < MANY) {
      for (const one of subjects) {
        await action(one);
      }
      return;
    }
    await window.withProgress({ location: ProgressLocation.Notification, title, cancellable: true }, async (progress, cancel) => {
      for (const [done, one] of subjects.entries()) {
        if (cancel.isCancellationRequested || !(await action(one))) {
          return;
        }
        progress.report({ increment: 100 / subjects.length, message: `${done + 1}/${subjects.length}` });
      }
    });
  }

  async function claim(argument: Argument, selected?: Uri[]): Promise<void> {
    let subjects = givenSubjects(argument, selected);
    if (subjects.length === 0) {
      const file = activeFile() ?? (await askFile(l10n.t("Claim")));
      subjects = file === undefined ? [] : [{ uri: file.toString() }];
    }
    await each(subjects, l10n.t("Claiming"), async (one) => {
      const answer = await server.execute<{ claim: Claim }>("claim", one);
      if (answer !== undefined) {
        said(l10n.t("You hold {0} now", oneLine(answer.claim.display_name ?? answer.claim.resource_name)));
      }
      return answer !== undefined;
    });
  }

  async function release(argument: Argument, selected?: Uri[]): Promise<void> {
    let subjects = givenSubjects(argument, selected);
    if (subjects.length === 0) {
      const found = await subject(argument, own(), l10n.t("Release"), l10n.t("You hold nothing."));
      subjects = found === undefined ? [] : [found];
    }
    await each(subjects, l10n.t("Releasing"), async (one) => {
      const answer = await server.execute<{ claim: Claim }>("release", one);
      if (answer !== undefined) {
        said(l10n.t("Released {0}", oneLine(answer.claim.display_name ?? answer.claim.resource_name)));
      }
      return answer !== undefined;
    });
  }

  async function releaseAll(): Promise<void> {
    const answer = await server.execute<{ released: readonly Claim[] }>("releaseAll");
    if (answer !== undefined) {
      const count = answer.released.length;
      said(count === 0 ? l10n.t("You held nothing") : count === 1 ? l10n.t("Released one claim") : l10n.t("Released {0} claims", count));
    }
  }

  async function takeOver(argument: Argument): Promise<void> {
    const one = await subject(argument, others(), l10n.t("Take Over"), l10n.t("Nobody else holds anything."));
    if (one === undefined) {
      return;
    }
    const force = menuArgument(argument).force === true;
    let refusal: string | undefined;
    // Only the facts at this moment tell whether force is needed.
    const answer = await server.execute("takeOver", one, ({ reason, message }) => {
      refusal = reason === "claimed" ? message : undefined;
      return refusal !== undefined;
    });
    if (answer !== undefined) {
      said(l10n.t("You hold it now"));
      return;
    }
    if (refusal === undefined) {
      return;
    }
    const detail = l10n.t("The holder is told at once, but may lose unsaved work.");
    const text = force ? l10n.t("Take it over by force?") : refusal;
    if (await confirm(text, l10n.t("Take Over by Force"), force ? `${refusal}\n\n${detail}` : detail)) {
      if ((await server.execute("takeOver", { ...one, force: true })) !== undefined) {
        said(l10n.t("You hold it now"));
      }
    }
  }

  async function requestRelease(argument: Argument): Promise<void> {
    const held = others().filter(blocks);
    const one = await subject(argument, held, l10n.t("Ask to Release"), l10n.t("Nobody else holds anything."));
    if (one === undefined) {
      return;
    }
    const { message: ready, quotation } = menuArgument(argument);
    const text = ready ?? (await askText(l10n.t("Ask to Release"), l10n.t("A message for the holder (optional)"), { mayBeEmpty: true }));
    if (text === undefined) {
      return;
    }
    const message = [text, quotation ?? ""].filter((part) => part !== "").join("\n\n");
    const answer = await server.execute<{ yielded?: boolean }>("requestRelease", { ...one, ...(message === "" ? {} : { message }) });
    // The server tells of an agent that gave it up at once.
    if (answer !== undefined && answer.yielded !== true) {
      said(l10n.t("Asked to release it"));
    }
  }

  async function handOff(argument: Argument): Promise<void> {
    const given = argument instanceof SessionNode ? undefined : argument;
    const one =
      argument instanceof SessionNode
        ? chosen(await askClaim(own(), l10n.t("Hand Off"), l10n.t("You hold nothing to hand off.")))
        : await subject(given, own(), l10n.t("Hand Off"), l10n.t("You hold nothing to hand off."));
    if (one === undefined) {
      return;
    }
    const menu = menuArgument(argument);
    const to =
      argument instanceof SessionNode
        ? argument.session.session_id
        : (menu.to ?? (await askSession(knowledge, l10n.t("Hand Off To"), { everyone: false })));
    if (to === undefined) {
      return;
    }
    const notes = menu.notes ?? (await askText(l10n.t("Hand Off"), l10n.t("Notes for whoever continues (optional)"), { mayBeEmpty: true }));
    if (notes === undefined) {
      return;
    }
    const answer = await server.execute("handOff", { ...one, to, ...(notes === "" ? {} : { notes }) });
    if (answer !== undefined) {
      said(l10n.t("Handed off to {0}", oneLine(knowledge.sessionOf(to)?.label ?? to, 40)));
    }
  }

  async function tellWhenFree(argument: Argument): Promise<void> {
    const held = [...others(), ...knowledge.claimsOfMachine].filter(blocks);
    const one = await subject(argument, held, l10n.t("Notify Me"), l10n.t("Nobody else holds anything."));
    if (one !== undefined && (await server.execute("tellWhenFree", one)) !== undefined) {
      said(l10n.t("You will be told when it is free"));
    }
  }

  /** Ends a wait of the user's own: in a terminal, or of an agent. */
  async function leaveQueue(argument: Argument): Promise<void> {
    const place = argument instanceof PlaceNode ? argument.place : await askPlace(knowledge.waiting.filter(({ own: isOwn }) => isOwn === true));
    if (place === undefined) {
      return;
    }
    const { ticket, repository, machine } = place;
    if ((await server.execute("leaveQueue", { ticket, repository, machine: machine === true })) !== undefined) {
      said(l10n.t("Left the queue for {0}", oneLine(place.resource)));
    }
  }

  /** Shows what somebody changed in a file, and nobody else's changes: those of one entry, else those of who holds it. */
  async function showChanges(argument: Argument): Promise<void> {
    const files = knowledge.claims.filter((claim) => claim.resource_type === "file");
    const uri =
      argument instanceof ClaimNode
        ? places.uriOf(argument.claim.path)
        : (uriIn(givenSubjects(argument)[0]) ??
          activeFile() ??
          places.uriOf((await askClaim(files, l10n.t("Show What They Changed"), l10n.t("No file is held.")))?.path));
    if (uri === undefined) {
      return;
    }
    const { entry } = menuArgument(argument);
    if (entry !== undefined) {
      await commands.executeCommand("deconflict.openChange", { uri: uri.toString(), entry });
      return;
    }
    const claim = argument instanceof ClaimNode ? argument.claim : places.claimsOf(uri, knowledge.othersClaims)[0];
    const shown = claim?.claimed_by === undefined ? false : await journalDocuments.compareChangesOf(uri, claim.claimed_by, holderName(claim));
    if (!shown && !(await journalDocuments.compareWithCommit(uri))) {
      // It is asked from a notice too, beside which another would be too much.
      said(l10n.t("Nothing was saved in {0} since the last commit", basename(uri.fsPath)));
    }
  }

  async function acknowledge(argument: Argument): Promise<void> {
    const { uri, code, expected } = menuArgument(argument);
    await server.execute("acknowledge", { uri, code, ...(expected === undefined ? {} : { expected }) });
  }

  async function openClaim(argument: Argument): Promise<void> {
    const path = argument instanceof ClaimNode ? argument.claim.path : argument instanceof MessageNode ? argument.message.path : undefined;
    const uri = places.uriOf(path) ?? uriIn(givenSubjects(argument)[0]);
    if (uri !== undefined) {
      await commands.executeCommand("vscode.open", uri);
    }
  }

  function resumeAutoSave(argument: Argument): Promise<void> {
    heldFiles.acceptPaused(argument instanceof Uri ? [argument] : autoSave.files);
    return Promise.resolve();
  }

  return {
    claim,
    release,
    releaseAll,
    takeOver,
    requestRelease,
    handOff,
    tellWhenFree,
    leaveQueue,
    showChanges,
    acknowledge,
    openClaim,
    resumeAutoSave,
  };
}

/** Says briefly that something was done. */
function said(text: string): void {
  window.setStatusBarMessage(`$(check) ${text}`, 5_000);
}

async function askFile(title: string): Promise<Uri | undefined> {
  const chosen = await window.showOpenDialog({ title, canSelectFiles: true, canSelectFolders: false, canSelectMany: false });
  return chosen?.[0];
}

function chosen(claim: Claim | undefined): Subject | undefined {
  return claim === undefined ? undefined : subjectOf(claim);
}

function uriIn(subject: Subject | undefined): Uri | undefined {
  return subject?.uri === undefined ? undefined : Uri.parse(subject.uri);
}
