import { Uri, window } from "vscode";
import type { Claim, Expected } from "../protocol";
import { fileIn } from "../tabs";
import { ChangeNode, ClaimNode, MessageNode, PlaceNode, SessionNode } from "../views/nodes";

/** What a command of the server is about: a document, or a resource that is none. */
export interface Subject {
  readonly uri?: string;
  /** `{type}/{name}`. */
  readonly resource?: string;
  readonly expected?: Expected;
  /** It is of the machine, not of the clone. */
  readonly machine?: boolean;
}

/** What a menu of the server gives along. */
export interface MenuArgument extends Subject {
  readonly to?: string;
  readonly subject?: string;
  readonly message?: string;
  readonly notes?: string;
  readonly quotation?: string;
  readonly force?: boolean;
  readonly code?: string;
  /** A change in the journal. */
  readonly entry?: string;
}

/** What a command may get: nothing from the palette, and from menus what they are about. */
export type Argument = Uri | ClaimNode | PlaceNode | SessionNode | MessageNode | ChangeNode | MenuArgument | undefined;

/** The claim as a command's subject, tied to this holding. */
export function subjectOf(claim: Claim): Subject {
  return {
    resource: `${claim.resource_type}/${claim.resource_name}`,
    ...(claim.expected === undefined ? {} : { expected: claim.expected }),
    ...(claim.machine === true ? { machine: true } : {}),
  };
}

/** The given subjects, several where several files were selected; none from the palette. */
export function givenSubjects(argument: Argument, selected?: readonly Uri[]): Subject[] {
  if (argument instanceof Uri) {
    const uris = selected !== undefined && selected.length > 0 ? selected : [argument];
    return uris.filter((uri) => uri.scheme === "file").map((uri) => ({ uri: uri.toString() }));
  }
  if (argument instanceof ClaimNode) {
    return [subjectOf(argument.claim)];
  }
  if (argument instanceof PlaceNode) {
    const { wanted, machine } = argument.place;
    return typeof wanted === "string" ? [{ resource: wanted, ...(machine === true ? { machine } : {}) }] : [];
  }
  if (argument instanceof MessageNode) {
    const { resource } = argument.message;
    return resource === undefined ? [] : [{ resource }];
  }
  if (argument instanceof ChangeNode) {
    return [{ uri: argument.uri.toString() }];
  }
  if (argument === undefined || argument instanceof SessionNode) {
    return [];
  }
  const { uri, resource, expected } = argument;
  if (uri === undefined && resource === undefined) {
    return [];
  }
  return [
    {
      ...(uri === undefined ? {} : { uri }),
      ...(resource === undefined ? {} : { resource }),
      ...(expected === undefined ? {} : { expected }),
    },
  ];
}

/** The menu's further words, if it came from a menu of the server. */
export function menuArgument(argument: Argument): MenuArgument {
  return argument === undefined ||
    argument instanceof Uri ||
    argument instanceof ClaimNode ||
    argument instanceof PlaceNode ||
    argument instanceof SessionNode ||
    argument instanceof MessageNode ||
    argument instanceof ChangeNode
    ? {}
    : argument;
}

/** The file in front, in whatever kind of editor. */
export function activeFile(): Uri | undefined {
  const uri = fileIn(window.tabGroups.activeTabGroup.activeTab) ?? window.activeTextEditor?.document.uri;
  return uri?.scheme === "file" ? uri : undefined;
}
