// The info page as a panel of VS Code, brought up to date while it is seen.
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { infoPage, PAGE_COMMANDS, sections, type Info } from './infoPage';

/** Milliseconds between two updates of a page that is seen. */
const UPDATE_MS = 1000;

/** One panel at most. */
export class InfoView implements vscode.Disposable {
  private readonly media: vscode.Uri;
  private readonly info: () => Promise<Info>;
  private panel: vscode.WebviewPanel | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** `media`: the folder of the page's files. `info`: what it shows now. */
  constructor(media: vscode.Uri, info: () => Promise<Info>) {
    this.media = media;
    this.info = info;
  }

  /** The page as it is, or undefined where none is open. */
  get html(): string | undefined {
    return this.panel?.webview.html;
  }

  /** Opens the page, or shows it again; `focus` is the id of a section. */
  async show(focus?: string): Promise<void> {
    const info = await this.info();
    if (this.panel) this.panel.reveal();
    else this.open(info);
    await this.panel?.webview.postMessage({ sections: sections(info), focus });
  }

  dispose(): void {
    this.panel?.dispose();
  }

  private open(info: Info): void {
    const title = vscode.l10n.t('LCKV: model');
    const options = { enableScripts: true, localResourceRoots: [this.media] };
    const panel = vscode.window.createWebviewPanel(
      'lckv.info',
      title,
      vscode.ViewColumn.Active,
      options,
    );
    this.panel = panel;
    const { webview } = panel;
    const file = (name: string) =>
      webview.asWebviewUri(vscode.Uri.joinPath(this.media, name)).toString();
    const files = {
      style: file('info.css'),
      script: file('info.js'),
      source: webview.cspSource,
      nonce: randomBytes(16).toString('base64'),
    };
    webview.html = infoPage(files, vscode.env.language, info);
    webview.onDidReceiveMessage(({ command }: { command?: unknown }) => {
      const known = PAGE_COMMANDS.find((name) => name === command);
      if (known) void vscode.commands.executeCommand(known);
    });
    this.timer = setInterval(() => void this.update(), UPDATE_MS);
    panel.onDidDispose(() => {
      clearInterval(this.timer);
      this.panel = undefined;
    });
  }

  private async update(): Promise<void> {
    if (!this.panel?.visible) return;
    const content = sections(await this.info());
    await this.panel?.webview.postMessage({ sections: content });
  }
}
