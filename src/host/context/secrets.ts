// Files that never come into a prompt of another file. Knows no editor.

/** Names of files that hold secrets by custom. */
const NAMES = [
  String.raw`\.env(rc|\..+)?|.+\.env`,
  String.raw`id_(rsa|dsa|ecdsa|ed25519)(_sk)?(\..+)?`,
  String.raw`.+\.(pem|key|p8|p12|pfx|pkcs12|jks|keystore|kdbx|ppk|crt|cer|der|asc|gpg|ovpn)`,
  String.raw`\.?_?(netrc|pgpass|npmrc|pypirc|htpasswd|git-credentials|dockercfg|my\.cnf)`,
  String.raw`\.?(credentials?|secrets?|kubeconfig)(\.(json|ya?ml|toml|ini|xml|csv|txt|properties))?`,
  String.raw`(client_secret|service[-_]?account).*\.json`,
  String.raw`.+\.(tfvars|tfstate)(\.json|\.backup)?`,
];
const NAME = new RegExp(`^(?:${NAMES.join('|')})$`, 'i');

/** Folders whose files do. */
const FOLDER = /(?:^|\/)\.(?:ssh|aws|gnupg|kube|azure|docker)\//i;

/** Whether a file, by its path with forward slashes, is kept for secrets. */
export function isSecretFile(path: string): boolean {
  return NAME.test(path.slice(path.lastIndexOf('/') + 1)) || FOLDER.test(path);
}
