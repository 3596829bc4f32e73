// The declarations behind what is imported and used near the cursor, in VS Code.
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { Snippet } from '../../protocol';
import { declarationAt } from '../../text/declaration';
import { importedNames, importedUses } from '../../text/imports';
import { readFile } from './files';

/** All questions to a language server together may take this long, in milliseconds. */
const BUDGET_MS = 100;
/** Names asked about. */
const MAX_NAMES = 8;
/** A server's answer is taken for this long, in milliseconds. */
const KEPT_MS = 60_000;

interface Target {
  uri: vscode.Uri;
  line: number;
}

/** Asks language servers; an answer that comes late serves the next question. */
export class Definitions {
  private readonly answers = new Map<string, { at: number; target: Promise<Target | undefined> }>();

  /**
   * Declarations in other files, the one used nearest before the cursor first, of `most` lines
   * each; `isLate` when a server has not answered in time.
   */
  async near(
    document: vscode.TextDocument,
    nearby: vscode.Range,
    most: number,
  ): Promise<{ declarations: Snippet[]; isLate: boolean }> {
    const base = document.offsetAt(nearby.start);
    const uses = importedUses(document.getText(nearby), importedNames(document.getText()));
    const targets = uses.slice(0, MAX_NAMES).map(({ name, offset }) => {
      return this.target(document, name, document.positionAt(base + offset));
    });
    const late = sleep(BUDGET_MS, 'late' as const);
    const inTime = await Promise.all(targets.map((target) => Promise.race([target, late])));
    const declarations: Snippet[] = [];
    for (const target of inTime) {
      if (!target || target === 'late' || target.uri.toString() === document.uri.toString())
        continue;
      const file = await readFile(target.uri);
      const text = file && declarationAt(file.text, target.line, most);
      if (text) declarations.push({ path: file.path, text });
    }
    return { declarations, isLate: inTime.includes('late') };
  }

  private target(
    { uri }: vscode.TextDocument,
    name: string,
    position: vscode.Position,
  ): Promise<Target | undefined> {
    const key = `${uri.toString()} ${name}`;
    const known = this.answers.get(key);
    if (known && Date.now() - known.at < KEPT_MS) return known.target;
    const target = ask(uri, position);
    this.answers.delete(key);
    this.answers.set(key, { at: Date.now(), target });
    if (this.answers.size > 200) this.answers.delete(this.answers.keys().next().value!);
    return target;
  }
}

async function ask(uri: vscode.Uri, position: vscode.Position): Promise<Target | undefined> {
  try {
    const [found] = await vscode.commands.executeCommand<(vscode.Location | vscode.LocationLink)[]>(
      'vscode.executeDefinitionProvider',
      uri,
      position,
    );
    if (!found) return undefined;
    return 'targetUri' in found
      ? { uri: found.targetUri, line: found.targetRange.start.line }
      : { uri: found.uri, line: found.range.start.line };
  } catch {
    return undefined; // Another extension's fault is not ours to tell.
  }
}
