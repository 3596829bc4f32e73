"""Muon for matrices: momentum, then the update made orthogonal by Newton-Schulz, scaled to the size of an Adam update."""
import torch


def orthogonalise(g):
    """Batch of matrices [N, rows, cols] -> nearest orthogonal ones, roughly (singular values 0.7 to 1.2)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr=0.0, momentum=0.95, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for p in group['params']:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for shape, ps in shapes.items():
                grads, buffers = [p.grad for p in ps], []
                for p in ps:
                    if 'momentum' not in self.state[p]:
                        self.state[p]['momentum'] = torch.zeros_like(p)
                    buffers.append(self.state[p]['momentum'])
                torch._foreach_lerp_(buffers, grads, 1 - group['momentum'])
                nesterov = torch._foreach_lerp(grads, buffers, group['momentum'])
                update = orthogonalise(torch.stack(nesterov)).to(ps[0].dtype) * (0.2 * max(shape) ** 0.5)
                torch._foreach_mul_(ps, 1 - group['lr'] * group['weight_decay'])
                torch._foreach_add_(ps, list(update.unbind()), alpha=-group['lr'])
